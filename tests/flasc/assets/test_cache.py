"""Where the cache is."""

from flasc.assets import catalogue


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("FLASC_EMU_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert catalogue.cache_folder() == tmp_path / ".cache/flasc-emu"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert catalogue.cache_folder() == tmp_path / "xdg/flasc-emu"
    monkeypatch.setenv("FLASC_EMU_CACHE", "~/mine")
    assert catalogue.cache_folder() == tmp_path / "mine"
    assert catalogue.cache_folder(tmp_path / "given") == tmp_path / "given"
