"""アカウント追加: the form of the administrator, and the link that its mail brings (G19, G37, G38, G40)."""
