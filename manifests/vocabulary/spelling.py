"""How people and their programs spell names and numbers, where the spelling cannot matter. Prompts are left alone."""

from __future__ import annotations

# What spreadsheets and word processors type by themselves: spaces that do not break or have no width, curly quotes,
# hyphens and minus signs of other lengths.
_TYPED = str.maketrans(
    {
        **dict.fromkeys(map(chr, (0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)), " "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
        **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
    }
)


def tidy(text: str) -> str:
    """A name or a number with plain spaces, quotes and hyphens, and no white space around or twice within."""
    return " ".join((text if text.isascii() else text.translate(_TYPED)).split())


def field_name(written: str) -> str:
    """A name as a field would be written: `Input Reference` and `INPUT-REFERENCE` → `input_reference`."""
    return "_".join(tidy(written).strip("\"'").casefold().replace("-", " ").replace("_", " ").split())
