"""Somebody is told, at the right time, and nothing that a server does or leaves undone reaches the run."""

import http.server
import json
import threading

import pytest

from pipeline.errors import PlanError
from pipeline.unattended import notify
from pipeline.unattended.notify import Message, Notifier, Settings, load_settings

SECRET = "k3y-0f-the-shop"
FAILED = Message("shortlist: failed", "why", frozenset({"failure"}))
QUIET = Message("shortlist: done", "list", frozenset())


class Server:
    """A loopback server that keeps what it was asked; `status` answers, None never does."""

    def __init__(self, status):
        asked, waiting = [], threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked.append((self.path, body))
                if status is None:
                    waiting.wait(30)
                    return
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"OK")

            do_POST = do_GET

            def log_message(self, *words):
                pass

        self.asked, self._waiting = asked, waiting
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.port = self._server.server_address[1]
        self.ping = f"http://127.0.0.1:{self.port}/{SECRET}"

    def close(self):
        self._waiting.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(request):
    made = Server(getattr(request, "param", 200))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def tell(settings, message, *, is_success):
    said = []
    notifier = Notifier(settings, said.append)
    notifier.start()
    notifier.finish(is_success=is_success, message=message)
    return said


@pytest.mark.parametrize(("is_success", "end"), [(True, ""), (False, "/fail")])
def test_the_switch_hears_of_the_start_and_then_of_the_end(server, is_success, end):
    assert tell(Settings(ping=server.ping), QUIET, is_success=is_success) == []
    assert [path for path, _ in server.asked] == [f"/{SECRET}/start", f"/{SECRET}{end}"]


@pytest.mark.parametrize("server", [500], indirect=True)
def test_a_server_that_refuses_is_news_without_its_address(server):
    said = tell(Settings(ping=server.ping), QUIET, is_success=True)
    assert said and all(SECRET not in line and "127.0.0.1" not in line for line in said)
    assert said[-1] == "ping not sent: HTTPError 500"


@pytest.mark.parametrize("server", [None], indirect=True)
def test_a_server_that_never_answers_is_left_behind_at_the_deadline(server, monkeypatch):
    monkeypatch.setattr(notify, "DEADLINE_SECONDS", 2.0)
    monkeypatch.setattr(notify, "_START_SECONDS", 0.5)
    said = tell(Settings(ping=server.ping), QUIET, is_success=True)
    assert said == ["not sent: no answer in time"] * 2


def test_a_message_goes_out_on_its_occasion_only(server):
    pytest.importorskip("apprise", reason="the extra `notify` is not installed")
    address = f"json://127.0.0.1:{server.port}/{SECRET}"
    assert tell(Settings(urls=(address,)), QUIET, is_success=True) == [] and server.asked == []
    assert tell(Settings(urls=(address,)), FAILED, is_success=False) == []
    told = json.loads(server.asked[0][1])
    assert (told["title"], told["message"]) == ("shortlist: failed", "why")
    assert tell(Settings(urls=(address,), on=frozenset({"always"})), QUIET, is_success=True) == []
    assert len(server.asked) == 2


def test_a_message_that_cannot_be_sent_is_one_line(monkeypatch):
    said = tell(Settings(urls=(f"nothing-of-the-kind://{SECRET}",)), FAILED, is_success=False)
    assert len(said) == 1 and said[0].startswith("message not sent: ") and SECRET not in said[0]


def test_settings_never_show_their_addresses():
    told = repr(Settings(ping=f"https://x/{SECRET}", urls=(f"mailto://{SECRET}",)))
    assert SECRET not in told


def private(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_addresses_come_from_the_environment_or_a_private_file(tmp_path):
    assert load_settings(tmp_path, {}) == Settings()
    private(tmp_path / "notify.toml", 'ping = "https://ping.example/a"\nurls = ["dingtalk://t/"]\non = ["always"]\n')
    assert load_settings(tmp_path, {}) == Settings("https://ping.example/a", ("dingtalk://t/",), frozenset({"always"}))
    told = load_settings(tmp_path, {"SHORTLIST_NOTIFY": "slack://a mailto://b", "SHORTLIST_NOTIFY_ON": "failure,empty"})
    assert told == Settings("https://ping.example/a", ("slack://a", "mailto://b"), frozenset({"failure", "empty"}))
    other = private(tmp_path / "other.toml", 'ping = "https://ping.example/b"\n')
    assert load_settings(tmp_path, {"SHORTLIST_NOTIFY_FILE": str(other)}).ping == "https://ping.example/b"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    private(tmp_path / "notify.toml", f'ping = "https://ping.example/{SECRET}"\n', mode)
    with pytest.raises(PlanError, match="chmod 600") as refusal:
        load_settings(tmp_path, {})
    assert SECRET not in str(refusal.value)


def test_a_link_is_refused_even_where_it_leads_nowhere(tmp_path):
    (tmp_path / "notify.toml").symlink_to(tmp_path / "elsewhere.toml")
    with pytest.raises(PlanError, match="a link"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('pings = "https://x"\n', "unknown key 'pings'"),
        (f'ping = "file:///{SECRET}"\n', "no http or https"),
        ('urls = "slack://x"\n', "'urls' is no list"),
        ('on = ["sometimes"]\n', "unknown occasion 'sometimes'"),
    ],
)
def test_what_is_not_understood_is_refused_without_showing_it(tmp_path, text, words):
    private(tmp_path / "notify.toml", text)
    with pytest.raises(PlanError, match=words) as refusal:
        load_settings(tmp_path, {})
    assert SECRET not in str(refusal.value)
