// Where each item stands. Only what is near the window becomes elements, so that a page of any length stays light.

// Taller than this no browser lays a page out; whoever wants what lies beyond filters.
const TALLEST_PX = 12000000;
const HEADING_REM = 4.2;
const CAPTION_REM = 7.3;
// A frame where no video of the section is: words need less room.
const SHORT_REM = 8.2;

class Layout {
  // `groups`: [{section, items}], what is shown of each. `width`: of the grid, in pixels.
  constructor(groups, width, ratio) {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const narrow = width < 34 * rem;
    const upright = ratio < 1;
    this.gap = (narrow ? 1 : 1.6) * rem;
    const least = (upright ? (narrow ? 9 : 12.5) : narrow ? 18 : 19) * rem;
    this.columns = Math.max(1, Math.floor((width + this.gap) / (least + this.gap)));
    this.cell = (width - this.gap * (this.columns - 1)) / this.columns;
    this.frame = Math.round(this.cell / Math.min(Math.max(ratio, 9 / 16), 16 / 9));
    this.caption = CAPTION_REM * rem;
    this.short = Math.min(SHORT_REM * rem, this.frame);
    this.rowHeight = this.frame + this.caption; // the tallest
    this.heading = HEADING_REM * rem;
    this.cells = [];
    this.of = new Map(); // item → its cell
    this.headings = [];
    this.bands = [];
    this.left = 0;
    this.height = this.place(groups);
  }

  place(groups) {
    let top = 0;
    let column = 0;
    let section = null;
    let frame = this.frame;
    const nextRow = () => { top += frame + this.caption + this.gap; column = 0; };
    for (const group of groups) {
      if (group.section !== section) {
        if (column) nextRow();
        section = group.section;
        const filmed = groups.some((each) => each.section === section && each.items.some((item) => item.video));
        frame = filmed ? this.frame : this.short;
        this.headings.push({ section, top, n: 0 });
        top += this.heading;
      }
      if (column && column + group.items.length > this.columns && group.items.length <= this.columns) nextRow();
      for (const item of group.items) {
        if (top > TALLEST_PX) { this.left += 1; continue; }
        if (this.columns === 1) frame = item.video ? this.frame : this.short;
        const x = column * (this.cell + this.gap);
        // What stands beside a take that failed needs nobody.
        if (item.section === section || (section !== "attention" && item.section !== "replaced")) this.headings[this.headings.length - 1].n += 1;
        this.cells.push({ item, top, x, column, frame, width: this.cell, height: frame + this.caption, place: this.cells.length });
        this.of.set(item, this.cells[this.cells.length - 1]);
        const band = this.bands[this.bands.length - 1];
        if (group.items.length > 1) {
          if (band && band.group === group && band.row === top) band.width += this.cell + this.gap;
          else {
            const more = Boolean(band) && band.group === group; // it goes on from the row above, without a seam
            const up = more ? this.gap : 0;
            this.bands.push({ group, more, top: top - up, row: top, x, width: this.cell, height: frame + this.caption + up });
          }
        }
        column += 1;
        if (column === this.columns) nextRow();
      }
    }
    if (column) nextRow();
    return top;
  }

  // The cells, headings and bands between two heights.
  between(from, to) {
    const near = (each) => each.top < to && each.top + this.rowHeight > from;
    return {
      cells: slice(this.cells, from - this.rowHeight, to),
      bands: slice(this.bands, from - this.rowHeight, to),
      headings: this.headings.filter(near),
    };
  }

  // The cell that an arrow key leads to.
  toward(cell, key) {
    if (key === "ArrowLeft") return this.cells[cell.place - 1];
    if (key === "ArrowRight") return this.cells[cell.place + 1];
    if (key === "Home") return this.cells[0];
    if (key === "End") return this.cells[this.cells.length - 1];
    const step = key === "ArrowDown" ? 1 : -1;
    let best = null;
    for (let n = cell.place + step; this.cells[n]; n += step) {
      const other = this.cells[n];
      if (other.top === cell.top) continue;
      if (best && other.top !== best.top) break;
      if (!best || Math.abs(other.column - cell.column) < Math.abs(best.column - cell.column)) best = other;
    }
    return best;
  }
}

// Of a list in the order of its tops, those between two of them.
function slice(list, from, to) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].top < from) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < list.length && list[end].top < to) end += 1;
  return list.slice(low, end);
}

// The shape of most of the batch's pictures, for all frames alike.
function usualRatio(items) {
  const shapes = new Map();
  for (const { ratio } of items) shapes.set(ratio, (shapes.get(ratio) || 0) + 1);
  return [...shapes].reduce((a, b) => (b[1] > a[1] ? b : a), [16 / 9, 0])[0];
}
