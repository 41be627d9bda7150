"""ご契約種別・お支払い方法変更 (G35): ask for a method, follow the request, and hear what its provider says."""
