#!/usr/bin/env bash
# Flask-WTF 1.3.0 with Flask 3.1.3: SECRET_KEY_FALLBACKS, Flask's own way to replace its key, is not looked at for CSRF
# tokens. After the key was replaced the session of before is still read, and each form that was open is refused: the
# token that stands in it was signed with the old key. With WTF_CSRF_SECRET_KEY as a list whose newest key comes last, as
# itsdangerous takes it and Flask-WTF's documentation does not say, the token is accepted.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check install flask==3.1.3 flask-wtf==1.3.0 itsdangerous==2.2.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from flask import Flask, session
from flask_wtf.csrf import CSRFProtect, generate_csrf

OLD, NEW = "the key of before", "the key of now"


def app(**config):
    made = Flask(__name__)
    made.config.update(config)
    CSRFProtect(made)

    @made.get("/")
    def form():
        session["who"] = "Hanako"
        return generate_csrf()

    @made.post("/")
    def sent():
        return session.get("who", "nobody")

    @made.get("/who")
    def who():
        return session.get("who", "nobody")

    return made.test_client()


before = app(SECRET_KEY=OLD)
token = before.get("/").text
cookie = before.get_cookie("session").value


def after(**config):
    client = app(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD], **config)
    client.set_cookie("session", cookie)
    return client.get("/who").text, client.post("/", data={"csrf_token": token}).status_code


print("Flask", version("flask"), "Flask-WTF", version("flask-wtf"))
print("with SECRET_KEY_FALLBACKS:", after())
print("with a list of CSRF keys as well:", after(WTF_CSRF_SECRET_KEY=[OLD, NEW]))
assert after() == ("Hanako", 400)
assert after(WTF_CSRF_SECRET_KEY=[OLD, NEW]) == ("Hanako", 200)
PYTHON
