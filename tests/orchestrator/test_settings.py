"""Settings from a file and the environment: what wins, what is refused, and that no secret is ever shown."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import traceback
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from manifests.window import Window
from orchestrator.logs.redaction import MASK, redact
from orchestrator.settings import ArchiveSettings, Budgets, Deployment, Settings, SettingsError, load_settings

FULL = """\
redis:
  url: redis://localhost:6379/0
  namespace: studio
state_dir: state
keep_days: 7
claim_s: 12
confirm_over_usd: 2.50
budgets: {day_usd: 200, month_usd: 3000.5, timezone: Europe/Stockholm}
deployments:
  - name: eastus2
    api: videos
    endpoint: https://RESOURCE.openai.azure.com
    model: sora-2
    deployment: my-sora2
    auth: {api_key_env: AZURE_OPENAI_API_KEY}
    quota: {per_minute: 4, burst: 2, concurrent: null}
    window: {start: 22:00, end: 06:30, timezone: europe/stockholm, days: [mon-fri]}
    shared: true
    gateway: true
    limits: {sizes: [1280x720], seconds: [4, 8], prompt_chars: 1000}
    poll: {first_s: 30, every_s: 15, min_s: 3}
    retention_s: 3600
    price_per_second_usd: 0.10
    create_timeout_s: 90
    max_render_s: 1800
  - {name: old, api: jobs, endpoint: "https://R2.openai.azure.com", model: sora, auth: {entra: true}}
archive:
  url: https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX
  auth: {connection_string_env: STORAGE}
  delete_remote: true
"""
ONE = """\
deployments:
  - name: one
    endpoint: https://r.openai.azure.com
    model: sora-2
    auth: {api_key_env: SOME_KEY}
"""
SECRET = "hunter2-of-the-night"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write text as a configuration file, in a working directory that has no dailies.yaml."""
    monkeypatch.chdir(tmp_path)

    def to_file(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return to_file


def problems(path: Path | None, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ or {})
    return [f"{p.line}:{p.path}: {p.message} | {p.hint}" for p in caught.value.problems]


def test_every_key_of_the_file_arrives(write: Write) -> None:
    settings = load_settings(write(FULL), {})
    assert settings.redis.url is not None
    assert settings.redis.url.get_secret_value() == "redis://localhost:6379/0"
    assert (settings.redis.namespace, settings.state_dir) == ("studio", Path("state"))
    assert (settings.keep_days, settings.claim_s) == (7, 12)
    assert settings.confirm_over_usd == Decimal("2.50")
    assert settings.budgets == Budgets(day_usd=Decimal(200), month_usd=Decimal("3000.5"), timezone="Europe/Stockholm")
    first, second = settings.deployments
    assert (first.name, first.api, first.model, first.deployment) == (
        "eastus2",
        "videos",
        "sora-2",
        "my-sora2",
    )
    assert (first.quota.per_minute, first.quota.burst, first.quota.concurrent) == (4, 2, None)
    # 22:00 without quotes is 1320 to YAML 1.1.
    assert first.window == Window(dt.time(22), dt.time(6, 30), "Europe/Stockholm", frozenset(range(5)))
    assert first.shared
    assert first.gateway
    assert first.limits is not None
    assert first.limits.sizes == ("1280x720",)
    assert (first.poll.first_s, first.poll.every_s, first.poll.min_s) == (30, 15, 3)
    assert (first.retention_s, first.create_timeout_s, first.max_render_s) == (3600, 90, 1800)
    assert first.price_per_second_usd == Decimal("0.1")
    assert second.auth.entra
    assert settings.archive.delete_remote


def test_without_anything_there_are_defaults_and_no_deployment(write: Write) -> None:
    """The embedded Redis, a folder here, and nothing that could cost money."""
    settings = load_settings(None, {})
    assert settings.redis.url is None
    assert settings.redis.namespace == "dailies"
    assert settings.state_dir == Path(".dailies")
    assert settings.archive.directory == Path("archive")
    assert settings.deployments == ()
    assert settings.confirm_over_usd == 25
    assert not settings.budgets


def test_an_absent_quota_is_the_apis_own_and_null_is_no_limit(write: Write) -> None:
    """Unset and null differ: 2/1/2 for videos, 60/1/2 for jobs, key by key."""
    text = FULL.replace("quota: {per_minute: 4, burst: 2, concurrent: null}", "quota: {per_minute: null}")
    videos, jobs = load_settings(write(text), {}).deployments
    assert (videos.quota.per_minute, videos.quota.burst, videos.quota.concurrent) == (None, 1, 2)
    assert (jobs.quota.per_minute, jobs.quota.burst, jobs.quota.concurrent) == (60, 1, 2)
    assert (jobs.deployment, jobs.poll.first_s, jobs.retention_s) == ("sora", 20, 86400)


def test_an_empty_quota_is_refused_for_it_could_mean_none_or_the_default(write: Write) -> None:
    [problem] = problems(write(ONE + "    quota:\n"))
    assert problem.startswith("6:deployments[0].quota")
    assert "leave the key out" in problem


def test_the_file_is_looked_for_here_and_where_the_variable_says(write: Write, tmp_path: Path) -> None:
    """The argument first, then DAILIES_CONFIG, then dailies.yaml in the working directory."""
    (tmp_path / "dailies.yaml").write_text("keep_days: 1")
    named = write("keep_days: 2")
    assert load_settings(None, {}).keep_days == 1
    assert load_settings(None, {"DAILIES_CONFIG": str(named)}).keep_days == 2
    assert load_settings(tmp_path / "dailies.yaml", {"DAILIES_CONFIG": str(named)}).keep_days == 1
    assert "cannot be read" in problems(None, {"DAILIES_CONFIG": "nowhere.yaml"})[0]


@pytest.mark.parametrize(
    ("variable", "value", "reached"),
    [
        ("DAILIES_KEEP_DAYS", "3", lambda s: s.keep_days == 3),
        ("DAILIES_REDIS__NAMESPACE", "other", lambda s: s.redis.namespace == "other"),
        ("DAILIES_REDIS__URL", "null", lambda s: s.redis.url is None),
        ("DAILIES_ARCHIVE__DELETE_REMOTE", "false", lambda s: s.archive.delete_remote is False),
        ("DAILIES_ARCHIVE", '{"url": "./here"}', lambda s: s.archive.directory == Path("here")),
        (
            "DAILIES_DEPLOYMENTS__0__QUOTA__PER_MINUTE",
            "null",
            lambda s: s.deployments[0].quota.per_minute is None,
        ),
        ("DAILIES_DEPLOYMENTS__1__POLL__MIN_S", "0.5", lambda s: s.deployments[1].poll.min_s == 0.5),
        (
            "DAILIES_DEPLOYMENTS__0__LIMITS__SECONDS",
            "[12]",
            lambda s: s.deployments[0].limits.seconds == (12,),
        ),
        ("DAILIES_BUDGETS__DAY_USD", "7.5", lambda s: s.budgets.day_usd == Decimal("7.5")),
        ("DAILIES_DEPLOYMENTS__0__WINDOW__END", "07:00", lambda s: s.deployments[0].window.end == dt.time(7)),
        ("DAILIES_DEPLOYMENTS__0__WINDOW__DAYS", '["sun"]', lambda s: s.deployments[0].window.days == {6}),
        ("DAILIES_DEPLOYMENTS__0__WINDOW", "null", lambda s: s.deployments[0].window is None),
        ("DAILIES_DEPLOYMENTS", "[]", lambda s: s.deployments == ()),
        ("DAILIES_KEEP_DAYS", "", lambda s: s.keep_days == 7),
    ],
)
def test_each_key_can_be_overridden_from_the_environment(
    write: Write, variable: str, value: str, reached: Callable[[Settings], bool]
) -> None:
    """Levels are joined by `__`, lists and levels are JSON, an empty variable counts as not set."""
    assert reached(load_settings(write(FULL), {variable: value}))


def test_deployments_come_from_the_environment_as_json_or_entry_by_entry(write: Write) -> None:
    entry = {"name": "a", "endpoint": "https://a.example", "model": "sora-2", "auth": {"entra": True}}
    environ = {
        "DAILIES_DEPLOYMENTS": json.dumps([entry]),
        "DAILIES_DEPLOYMENTS__0__SHARED": "true",
        "DAILIES_DEPLOYMENTS__1__NAME": "b",
        "DAILIES_DEPLOYMENTS__1__ENDPOINT": "https://b.example/v1",
        "DAILIES_DEPLOYMENTS__1__MODEL": "other",
        "DAILIES_DEPLOYMENTS__1__AUTH__API_KEY_ENV": "B_KEY",
    }
    first, second = load_settings(None, environ).deployments
    assert (first.name, first.shared) == ("a", True)
    assert (second.name, second.deployment, second.auth.api_key_env) == ("b", "other", "B_KEY")


def test_azures_usual_variables_are_configuration_enough(write: Write) -> None:
    environ = {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com", "AZURE_OPENAI_API_KEY": SECRET}
    [deployment] = load_settings(None, environ).deployments
    assert (deployment.api, deployment.model, deployment.endpoint) == (
        "videos",
        "sora-2",
        "https://r.openai.azure.com",
    )
    assert (deployment.quota.per_minute, deployment.quota.concurrent) == (2, "auto")
    assert deployment.api_key(environ).get_secret_value() == SECRET


def test_azure_without_a_key_means_entra(write: Write) -> None:
    [deployment] = load_settings(None, {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com"}).deployments
    assert deployment.auth.entra


def test_openais_usual_variables_do_for_any_server_but_never_with_entra(write: Write) -> None:
    """A server that is not Azure is never sent an Entra token because a key is missing."""
    [deployment] = load_settings(None, {"OPENAI_BASE_URL": "http://127.0.0.1:4000/v1"}).deployments
    assert not deployment.auth.entra
    with pytest.raises(SettingsError, match="OPENAI_API_KEY: is not set"):
        deployment.api_key({})


def test_configured_deployments_leave_the_usual_variables_alone(write: Write) -> None:
    [deployment] = load_settings(write(ONE), {"AZURE_OPENAI_ENDPOINT": "https://x.example"}).deployments
    assert deployment.name == "one"


def test_all_problems_come_at_once_each_with_line_key_and_mend(write: Write) -> None:
    text = FULL.replace("keep_days: 7", "keep_dayz: 7").replace("burst: 2", "burst: none")
    text = text.replace("every_s", "evry_s").replace("name: old", "name: eastus2").replace("PREFIX\n", "PREFIX?sig=x\n")
    assert problems(write(text), {"DAILIES_REDIS_URL": "x", "DAILIES_KEEP_DAYS": "soon"}) == [
        "5:keep_dayz: is not a known key | did you mean keep_days?",
        "16:deployments[0].quota.burst: must be a valid integer, not none | creates at once after a pause, 1 or more",
        "21:deployments[0].poll.evry_s: is not a known key | did you mean every_s?",
        "26:deployments[1].name: must be unique | deployments[0] has it already: choose another",
        "28:archive.url: holds a connection string or a SAS token, which is a secret (not shown) | write the "
        "container's URL here and auth: {connection_string_env: VARIABLE} or {sas_env: VARIABLE}",
        "None:DAILIES_REDIS_URL: is not a setting of this program | did you mean DAILIES_REDIS__URL?",
        "None:DAILIES_KEEP_DAYS: must be a valid integer, not soon | days that a final batch is kept in Redis",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("namespace: x\n", "did you mean redis.namespace?"),
        ("delete_remotes: true\n", "did you mean archive.delete_remote?"),
        ("zzz: 1\n", "the nearest known one is"),
        ("redis: {prefix: x}\n", "the nearest known one is"),
        ("keep_days: 1\nkeep_days: 2\n", "2:keep_days: stands twice"),
        ("redis: [1]\n", "1:redis: must be a valid dictionary"),
        ("- a\n", "must be a mapping of keys"),
        ("a: [1\nb: 2\n", "is not YAML"),
        ("redis: {url: 'http://x'}\n", "1:redis.url: must be a URL that begins with redis://"),
        ("redis: {url: 'redis+sentinel://x'}\n", "1:redis.url: must end with the name that Sentinel knows"),
        ("redis: {url: 'redis://a:1,:2'}\n", "1:redis.url: must name a host in each place"),
        ("redis: {auth: {entra: true}}\n", "1:redis: needs url for auth and tls"),
        ("redis: {url: 'redis://x', auth: {entra: true}}\n", "1:redis: would send tokens unencrypted"),
        ("redis: {url: 'redis://x', auth: {user: me}}\n", "1:redis.auth: must say one way"),
        ("redis: {url: 'redis://me@x', auth: {password_env: P}}\n", "1:redis: has a user or a password in url"),
        ("redis: {url: 'redis://x', tls: {ca_file: ./ca.pem}}\n", "1:redis: has tls, but url is not encrypted"),
        ("redis: {url: 'rediss://x', tls: {cert_file: ./me.pem}}\n", "1:redis.tls: needs cert_file and key_file"),
        ("redis: {url: 'redis://x', sentinel_auth: {password_env: P}}\n", "1:redis: has sentinel_auth, but url names"),
        ("redis: {namespace: 'a{b}'}\n", "1:redis.namespace"),
        (
            "archive: {url: 's3://bucket/x'}\n",
            "1:archive.url: must be a path, a file:// URL or an https:// URL",
        ),
        ("archive: {url: 'file://relative/x'}\n", "1:archive.url: must name an absolute path"),
        ("archive: {url: 'https://a.blob.core.windows.net/'}\n", "1:archive.url: must name a container"),
        ("archive: {url: 'https://a.blob.core.windows.net/c'}\n", "1:archive: needs auth"),
        ("archive: {auth: {entra: true}}\n", "1:archive: has auth, but a directory needs none"),
        (ONE + "    price_per_second_usd: -1\n", "6:deployments[0].price_per_second_usd: must be greater"),
        ("confirm_over_usd: -1\n", "1:confirm_over_usd: must be greater than or equal to 0"),
        ("budgets: {day_usd: 0}\n", "1:budgets.day_usd: must be greater than 0"),
        ("budgets: {week_usd: 5}\n", "1:budgets.week_usd: is not a known key"),
        ("budgets: {timezone: Stokholm}\n", "must be the name of a time zone, not Stokholm | did you mean Europe/"),
        (ONE + "    window: {start: '22:00'}\n", "6:deployments[0].window.end: is missing"),
        (ONE + "    window: {start: 1320, end: '6:00'}\n", "6:deployments[0].window.start: must be a time of day"),
        (ONE + "    window: {start: '22:00', end: '6:00', zone: UTC}\n", "did you mean timezone?"),
        (ONE + "    window: {start: '22:00', end: '6:00', days: [mon, mo]}\n", "mo is neither: write days: [mon-fri"),
        (ONE + "    window: 22:00-06:00\n", "6:deployments[0].window: must be a valid dictionary"),
        (ONE + "    limits: {sizes: [wide]}\n", "6:deployments[0].limits.sizes[0]"),
        (ONE + "    api: video\n", "6:deployments[0].api: must be 'videos' or 'jobs'"),
        (ONE.replace("    model: sora-2\n", ""), "2:deployments[0].model: is missing"),
        (ONE.replace("{api_key_env: SOME_KEY}", "{}"), "5:deployments[0].auth: must say one way"),
        (ONE.replace("{api_key_env: SOME_KEY}", "{api_key_env: K, entra: true}"), "auth: must say one way"),
        (ONE.replace("https://r", "https://me:word@r"), "3:deployments[0].endpoint: must have no user"),
        (ONE + "  - {name: two, api: jobs, model: sora-2}\n", "deployments[1].api: differs for one model"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(write: Write, text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(write(text)))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DAILIES_DEPLOYMENTS": "[{"}, "is not JSON"),
        ({"DAILIES_DEPLOYMENTS__3__NAME": "x"}, "an entry or a level that is not there"),
        ({"DAILIES_DEPLOYMENTS__0__QOTA__BURST": "1"}, "did you mean DAILIES_DEPLOYMENTS__0__QUOTA__BURST?"),
        ({"DAILIES_STATEDIR": "x"}, "did you mean DAILIES_STATE_DIR?"),
        ({"AZURE_OPENAI_ENDPOINT": "r.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT: must be a URL"),
    ],
)
def test_wrong_variables_are_named_with_their_mend(write: Write, environ: Mapping[str, str], expected: str) -> None:
    assert expected in problems(None, environ)[0]


def test_the_variables_that_kubernetes_adds_for_a_service_are_no_slips(write: Write) -> None:
    """A Service named dailies, or dailies-redis, puts these into every pod of its namespace."""
    environ = {
        "DAILIES_PORT": "tcp://10.0.0.1:80",
        "DAILIES_SERVICE_HOST": "10.0.0.1",
        "DAILIES_SERVICE_PORT_HTTP": "80",
        "DAILIES_REDIS_PORT_6379_TCP_ADDR": "10.0.0.2",
        "DAILIES_REDIS_PORT_6379_TCP": "tcp://10.0.0.2:6379",
    }
    assert load_settings(None, environ) == Settings()


def test_a_missing_key_is_an_error_only_when_its_deployment_is_used(write: Write) -> None:
    [deployment] = load_settings(write(ONE), {}).deployments
    with pytest.raises(SettingsError, match=r"SOME_KEY: is not set, but the deployment one needs it \(.*export"):
        deployment.api_key({"SOME_KEY": "  "})


def test_the_archives_secrets_are_read_when_used(write: Write) -> None:
    archive = load_settings(write(FULL), {}).archive
    found = archive.connection_string({"STORAGE": SECRET})
    assert found is not None
    assert found.get_secret_value() == SECRET
    assert archive.sas_token({}) is None
    with pytest.raises(SettingsError, match="STORAGE: is not set, but the archive needs it"):
        archive.connection_string({})


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (f"redis: {{url: 'redis://:{SECRET}@host:notaport/0'}}", {}),
        (f"redis: {{url: 'redis://user:{SECRET}/x@host:1'}}", {}),
        (f"redis: {{url: 'https://:{SECRET}@host'}}", {}),
        (f"redis: {{password: {SECRET}}}", {}),
        (ONE.replace("api_key_env: SOME_KEY", f"api_key: {SECRET}"), {}),
        (ONE.replace("SOME_KEY", f"'{SECRET}'"), {}),
        (ONE.replace("https://", f"https://me:{SECRET}@"), {}),
        (f"archive: {{url: 'https://a.blob.core.windows.net/c?sig={SECRET}'}}", {}),
        (f"{SECRET}", {}),
        (f"keep_days: {SECRET}-and-a-long-tail-as-keys-have", {}),
        (f"state_dir: [{SECRET}]", {}),
        (f"a: [{SECRET}\nb: c", {}),
        (f"auth: *{SECRET}", {}),
        (f"auth: !{SECRET} x", {}),
        (f"auth: !{SECRET}!x y", {}),
        (f"auth: !<{SECRET}'> y", {}),
        (f"auth: &{SECRET} 1\nb: &{SECRET} 2\n", {}),
        (f"keep_days: !!bool {SECRET}", {}),
        (f"keep_days: !!timestamp {SECRET}", {}),
        (f"keep_days: !!int {SECRET}", {}),
        (f"keep_days: \0{SECRET}", {}),
        (ONE.replace("{api_key_env: SOME_KEY}", f"{{{SECRET}-{SECRET}}}"), {}),
        (f"archive: {{url: 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET}=='}}", {}),
        ("", {"DAILIES_ARCHIVE__URL": f"AccountKey={SECRET}"}),
        ("", {"DAILIES_REDIS__URL": f"redis://:{SECRET}@host:notaport"}),
        ("", {"DAILIES_DEPLOYMENTS": f'[{{"auth": {{"api_key": "{SECRET}"}}'}),
        ("", {"DAILIES_API_KEY": SECRET}),
        ("", {"AZURE_OPENAI_ENDPOINT": f"https://x.example/?key={SECRET}"}),
    ],
)
def test_no_secret_is_repeated_by_any_error(write: Write, text: str, environ: Mapping[str, str]) -> None:
    """Not in its text, its repr, its problems, nor in the traceback with all that led to it."""
    path = write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ)
    error = caught.value
    told = [str(error), repr(error), repr(error.problems), "".join(traceback.format_exception(error))]
    assert all(SECRET not in text for text in told)
    assert error.__context__ is None


@pytest.mark.parametrize("key", ["aB3dE6gH9jK2" * 7, "f0a1b2c3d4e5f60718293a4b5c6d7e89", "A1B2C3D4E5F6G7H8" * 2])
def test_a_key_pasted_in_place_of_its_variables_name_is_not_repeated(write: Write, key: str) -> None:
    """It has nothing but letters and digits, as a name may have; so what is named is the key of the settings."""
    [deployment] = load_settings(write(ONE.replace("SOME_KEY", key)), {}).deployments
    archive = ArchiveSettings.model_validate({"url": "https://a.example/c", "auth": {"sas_env": key}})
    for ask, setting in ((deployment.api_key, "auth.api_key_env"), (archive.sas_token, "archive.auth.sas_env")):
        with pytest.raises(SettingsError) as caught:
            ask({})
        told = f"{caught.value} {caught.value.problems!r} {''.join(traceback.format_exception(caught.value))}"
        assert key[:8] not in told
        assert f"environment: {setting}: names a variable that is not set" in told
        assert "never the secret itself" in told


@pytest.mark.parametrize(
    "url",
    [
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};EndpointSuffix=core.windows.net",
        f"BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sv=2024-01-01&sig={SECRET}",
        f"AccountName=a;AccountKey={SECRET}",
        f"SharedAccessSignature=sv%3D2024%26sig%3D{SECRET}",
        f"sv=2024-11-04&sp=rw&sig={SECRET}",
        f"?sv=2024-11-04&sig={SECRET}",
        f"https://a.blob.core.windows.net/c?sv=2024-11-04&sig={SECRET}",
        f"https://a.blob.core.windows.net/c?sv=2024%26sig%3D{SECRET}",
        f"https://a.blob.core.windows.net/c;AccountKey={SECRET}",
        f"file:///srv/a;accountkey={SECRET}",
        "UseDevelopmentStorage=true",
    ],
)
def test_a_connection_string_is_never_taken_for_a_path(write: Write, url: str) -> None:
    [problem] = problems(write(f"archive:\n  url: '{url}'\n"))
    assert problem.startswith("2:archive.url: holds a connection string or a SAS token")
    assert "auth: {connection_string_env: VARIABLE}" in problem
    assert SECRET not in problem


@pytest.mark.parametrize("url", ["./design=final", "/srv/AccountKeys", "./a;b", "films/sig", "./day=1&more"])
def test_an_equals_sign_in_a_path_is_just_that(url: str) -> None:
    assert ArchiveSettings(url=url).directory == Path(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auth: *name", "1:: is not YAML: found undefined alias |"),
        ("auth: !name x", "1:: is not YAML: could not determine a constructor for the tag |"),
        ("a: [1\nb: 2\n", "is not YAML: expected ',' or ']', but got ':' |"),
        ("a: @b\n", "1:: is not YAML: found character '@' that cannot start any token |"),
        ("a: b: c\n", "1:: is not YAML: mapping values are not allowed here |"),
        ("a: &a [*a]\n", "is not YAML"),
        ("a: \0\n", "is not YAML"),
        ("a: !!bool maybe\n", "is not YAML"),
    ],
)
def test_what_is_no_yaml_is_explained_without_what_stands_there(write: Write, text: str, expected: str) -> None:
    assert expected in problems(write(text))[0]


def test_no_secret_is_shown_by_the_settings_themselves(write: Write) -> None:
    """Nor does a library's own message show it, once that has passed through redaction."""
    environ = {
        "DAILIES_REDIS__URL": f"rediss://user:{SECRET}%21@host:6380/0",
        "SOME_KEY": "another-secret-key",
    }
    settings = load_settings(write(ONE), environ)
    key = settings.deployments[0].api_key(environ)
    assert "22:00 to 06:30" in load_settings(write(FULL), {}).model_dump_json()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(key), f"{key}"):
        assert SECRET not in shown
        assert "another-secret-key" not in shown
    assert redact(f"wrong password {SECRET}! for another-secret-key") == f"wrong password {MASK} for {MASK}"


def test_limits_stand_over_the_shipped_rules(write: Write) -> None:
    """Sizes and lengths as configured; a default that they exclude gives way to one that they have."""
    text = ONE + "    limits: {sizes: [1280x720], seconds: [8, 12]}\n"
    rule = load_settings(write(text), {}).model_rules()["sora-2"]
    assert (rule.sizes, rule.default_size) == (("1280x720",), "1280x720")
    assert (rule.seconds, rule.default_seconds) == ((8, 12), 8)
    assert rule.remix


def test_a_model_nobody_knows_is_not_checked(write: Write) -> None:
    rule = load_settings(write(ONE.replace("sora-2", "veo-9")), {}).model_rules()["veo-9"]
    assert (rule.sizes, rule.seconds) == (None, None)


def test_the_sandbox_variant_shares_nothing_with_the_real_settings(write: Write) -> None:
    """Own state, own archive, embedded Redis, both models, and a key that was never read from anywhere."""
    settings = load_settings(write(FULL), {}).for_sandbox("http://127.0.0.1:9")
    assert settings.redis.url is None
    assert settings.state_dir == Path("state/sandbox")
    assert settings.archive == ArchiveSettings(url="./archive-sandbox")
    assert [(d.name, d.api, d.endpoint) for d in settings.deployments] == [
        ("sora-2", "videos", "http://127.0.0.1:9"),
        ("sora", "jobs", "http://127.0.0.1:9"),
    ]
    assert all(d.api_key({}).get_secret_value() == "sandbox" for d in settings.deployments)
    assert settings.deployments[0].quota.per_minute == 600
    assert not settings.budgets
    assert settings.deployments[0].window is None
    assert settings.confirm_over_usd >= 10**9  # nothing is asked about pretend money


def test_settings_cannot_be_changed_and_can_be_handed_to_a_process(write: Write) -> None:
    settings = load_settings(write(FULL), {})
    with pytest.raises(ValueError, match="frozen"):
        settings.keep_days = 1  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("./a b", "a b"),
        ("/srv/x", "/srv/x"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("http://127.0.0.1:1/acc/c", None),
    ],
)
def test_an_archive_is_a_directory_unless_it_is_a_container(url: str, directory: str | None) -> None:
    auth = {"connection_string_env": "X"} if directory is None else None
    archive = ArchiveSettings.model_validate({"url": url, "auth": auth})
    assert archive.directory == (Path(directory) if directory else None)


def test_a_deployment_with_entra_has_no_key_to_ask_for() -> None:
    auth = {"entra": True}
    deployment = Deployment.model_validate({"name": "a", "endpoint": "https://a", "model": "m", "auth": auth})
    with pytest.raises(ValueError, match="Entra ID"):
        deployment.api_key({})


SHARED = """
quotas:
  account: {per_minute: 6, concurrent: auto}
deployments:
  - {name: east, endpoint: https://e.example, model: sora-2, auth: {entra: true}, quota: account}
  - {name: west, endpoint: https://w.example, model: sora-2, auth: {entra: true}, quota: account}
  - {name: north, endpoint: https://n.example, model: sora-2, auth: {entra: true}, quota: {reserve: {concurrent: 1}}}
"""


def test_deployments_that_name_a_quota_share_it(write: Write) -> None:
    east, west, north = load_settings(write(SHARED), {}).deployments
    assert east.quota is west.quota
    assert (east.quota.shared_as, north.quota.shared_as) == ("account", "")
    assert (east.quota.per_minute, east.quota.burst, east.quota.auto, east.quota.own_concurrent) == (6, 1, True, None)
    assert (north.quota.concurrent, north.quota.own_concurrent, north.quota.own_per_minute) == (2, 1, 2)


@pytest.mark.parametrize(
    ("before", "after", "place", "said"),
    [
        ("quota: account}", "quota: acount}", "deployments[0].quota", "did you mean account?"),
        ("per_minute: 6", "per_minute: 0", "quotas.account.per_minute", "1"),
        ("concurrent: auto}", "concurrent: some}", "quotas.account.concurrent", "auto"),
        ("per_minute: 6", "per_hour: 6", "quotas.account.per_hour", "per_minute"),
        ("reserve: {concurrent: 1}", "reserve: {concurrent: 2}", "deployments[2].quota", "leave at least one"),
        ("reserve: {concurrent: 1}", "concurrent: null, reserve: {concurrent: 1}", "deployments[2].quota", "number"),
    ],
)
def test_a_wrong_quota_is_told_once_where_it_is_written(
    write: Write, before: str, after: str, place: str, said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(write(SHARED.replace(before, after, 1)), {})
    [problem] = refused.value.problems
    assert (problem.path, problem.line is not None) == (place, True)
    assert said in f"{problem.message} {problem.hint}"


def test_a_shared_quota_can_be_set_from_the_environment(write: Write) -> None:
    environ = {"DAILIES_QUOTAS__ACCOUNT__PER_MINUTE": "9", "DAILIES_QUOTAS__ACCOUNT__RESERVE__PER_MINUTE": "3"}
    east, *_ = load_settings(write(SHARED), environ).deployments
    assert (east.quota.per_minute, east.quota.own_per_minute) == (9, 6)
