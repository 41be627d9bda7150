from pathlib import Path as P
from engine.text import catalogue; catalogue.add(P("/tmp/po"))
from tests.web.conftest import *


def test_flow(site, customer, browser):
    browser.apply()
    print(browser.title, browser.path)
    path = mail_sent(site, 1)
    browser.open(path); print(browser.response.status_code, browser.title, browser.text[:200])
    browser.press("アカウント作成を完了する"); print(browser.response.status_code, browser.title)
    browser.open(path); print(browser.response.status_code, browser.title)
    browser.log_in(); print(browser.response.status_code, browser.title, browser.text)
    print(browser.response.headers)
