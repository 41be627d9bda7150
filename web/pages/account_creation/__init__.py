"""アカウント作成: the pages from the application to the link that its mail brings (G10–G25)."""
