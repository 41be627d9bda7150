"""ご契約内容変更お申し込み (G6, G28 ⑥, G31, G35, G45): choose, fill in, compare, send."""
