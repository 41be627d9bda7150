"""How documents are set as PDF: fonts, letters, lines, and a template with its texts (`Manuscript`)."""
