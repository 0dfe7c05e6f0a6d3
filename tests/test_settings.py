"""Settings, and that the reference page lists every one of them."""

from pathlib import Path

import pytest

from polymeter.settings import InvalidSettings, Settings, reference, table

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"


def test_the_environment_goes_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    config = tmp_path / "polymeter.toml"
    config.write_text('listen = "0.0.0.0:80"\namqp_url = "amqp://file/"\ncatalogue_path = ["a", "b"]\n')
    settings = Settings.load({"POLYMETER_AMQP_URL": "amqp://env/", "HOME": "/root"}, config)
    assert (settings.listen, settings.amqp_url, settings.jwt_expiration_s) == (
        "0.0.0.0:80",
        "amqp://env/",
        1200,
    )
    assert settings.catalogue_path == (Path("a"), Path("b"))
    assert Settings.load({}, config, listen="[::1]:1", amqp_url=None).listen == "[::1]:1"


def test_without_a_database_url_it_is_sqlite_in_the_data_folder() -> None:
    assert Settings.load({"POLYMETER_DATA_DIR": "/var/x"}).database == "sqlite:////var/x/polymeter.db"


def test_a_secret_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("made-up-secret\n")
    settings = Settings.load({"POLYMETER_SECRET_KEY_FILE": str(file)})
    assert settings.secret_key == "made-up-secret"
    assert "made-up" not in repr(settings)
    with pytest.raises(InvalidSettings, match="POLYMETER_SECRET_KEY_FILE: cannot read"):
        Settings.load({"POLYMETER_SECRET_KEY_FILE": str(tmp_path / "none")})


def test_utilitarians_names_are_accepted_and_ours_go_before() -> None:
    names = {
        "DATABASE_URL": "postgresql://a/b",
        "AMQP_CONNECTION_STRING": "amqp://a/",
        "ALLOW_TOKEN_AUTH": "false",
    }
    settings = Settings.load(names)
    assert (settings.database, settings.amqp_url, settings.allow_token_auth) == (
        "postgresql://a/b",
        "amqp://a/",
        False,
    )
    assert Settings.load(names | {"POLYMETER_DATABASE_URL": "sqlite:///x"}).database == "sqlite:///x"


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidSettings, match="databse_url in POLYMETER_DATABSE_URL; did you mean database_url"
    ):
        Settings.load({"POLYMETER_DATABSE_URL": "x"})
    config = tmp_path / "c.toml"
    config.write_text("colour = 1")
    with pytest.raises(InvalidSettings, match=r"unknown setting colour in .*c\.toml"):
        Settings.load({}, config)
    config.write_text("colour =")
    with pytest.raises(InvalidSettings, match="is not TOML"):
        Settings.load({}, config)


def test_a_value_that_does_not_fit_is_named_but_not_repeated() -> None:
    with pytest.raises(InvalidSettings, match="public_decode in POLYMETER_PUBLIC_DECODE") as raised:
        Settings.load({"POLYMETER_PUBLIC_DECODE": "perhaps-a-secret"})
    assert "perhaps" not in str(raised.value)


def test_the_reference_page_is_the_table() -> None:
    again = "python3 -c 'from polymeter.settings import reference; print(reference(), end=\"\")'"
    assert PAGE.read_text() == reference(), f"write it anew: {again} > docs/reference/settings.md"
    assert reference().count("| `POLYMETER_") == len(table())
