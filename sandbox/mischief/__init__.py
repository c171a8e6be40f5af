"""What goes wrong on purpose: answers that are late, cut, spoilt, or keep something back."""
