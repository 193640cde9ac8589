"""A vault of a real creator, and stand-ins of what the hosts' programs offer to an extension."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anchor.cli import main
from anchor.records.chain import verify_chain
from anchor.records.record import Record
from anchor.vault import Vault

INTEGRATIONS = Path(__file__).parents[2] / "integrations"


@dataclass
class FakeKeyring:
    """A keyring of the system, in memory."""

    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    priority: float = 5

    def get_password(self, service: str, username: str) -> str | None:
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.secrets[service, username] = password


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a host's output folder with a vault in it; offline."""
    import keyring

    backend = FakeKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    folder = tmp_path / "output"
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        assert main(["init", "--recovery", str(tmp_path / "recovery.txt")]) == 0
    return folder


def records(folder: Path) -> list[Record]:
    """Return all records after the genesis; their chain holds."""
    with Vault.open(folder) as vault:
        found = [vault.read(seq) for seq in vault.files.numbers()]
    assert verify_chain(found).complete_up_to == len(found) - 1
    return found[1:]


def load(name: str, path: Path, patch: pytest.MonkeyPatch, *, package: bool = False) -> ModuleType:
    """Load a module or package from its file, as the hosts do; forgotten after the test."""
    folders = [str(path.parent)] if package else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


# -- ComfyUI ---------------------------------------------------------------------------------------


class FakeSaveImage:
    """ComfyUI's own node, as far as another node can see: images are sizes here."""

    folder: Path

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "images": ("IMAGE", {"tooltip": "The images to save."}),
                "filename_prefix": ("STRING", {"default": "ComfyUI"}),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    def save_images(
        self, images: Any, filename_prefix: str = "ComfyUI", prompt=None, extra_pnginfo=None
    ) -> dict[str, Any]:
        where = self.folder / "run"
        where.mkdir(exist_ok=True)
        results = []
        for size in images:
            info = PngInfo()
            info.add_text("prompt", json.dumps(prompt))
            for key, value in (extra_pnginfo or {}).items():
                info.add_text(key, json.dumps(value))
            name = f"{filename_prefix}_{len(list(where.iterdir())) + 1:05}_.png"
            Image.new("RGB", size).save(where / name, pnginfo=info)
            results.append({"filename": name, "subfolder": "run", "type": "output"})
        return {"ui": {"images": results}}


@pytest.fixture
def comfyui(output: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the node package, loaded by a stand-in of ComfyUI with that output folder."""
    host_nodes, host_paths = ModuleType("nodes"), ModuleType("folder_paths")
    save_image = type("SaveImage", (FakeSaveImage,), {"folder": output})
    monkeypatch.setattr(host_nodes, "SaveImage", save_image, raising=False)
    get_output = lambda: str(output)  # noqa: E731
    monkeypatch.setattr(host_paths, "get_output_directory", get_output, raising=False)
    monkeypatch.setitem(sys.modules, "nodes", host_nodes)
    monkeypatch.setitem(sys.modules, "folder_paths", host_paths)
    path = INTEGRATIONS / "comfyui_vestige" / "__init__.py"
    yield load("comfyui_vestige", path, monkeypatch, package=True)
    for name in [name for name in sys.modules if name.startswith("comfyui_vestige.")]:
        del sys.modules[name]


# -- AUTOMATIC1111 ---------------------------------------------------------------------------------


@dataclass
class WebUi:
    """A stand-in of the web UI: it keeps the callbacks and the settings, and saves images."""

    folder: Path
    on_settings: list[Any] = field(default_factory=list)
    on_saved: list[Any] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    opts: Any = None

    def save(self, name: str = "00001-1.png", parameters: str = "") -> Path:
        path = self.folder / name
        info = PngInfo()
        info.add_text("parameters", parameters)
        Image.new("RGB", (8, 8)).save(path, format="PNG", pnginfo=info)
        self.tell(str(path))
        return path

    def tell(self, filename: Any) -> None:
        processing = SimpleNamespace(comment=self.comments.append)
        params = SimpleNamespace(image=None, p=processing, filename=filename, pnginfo={})
        for callback in self.on_saved:
            callback(params)


class FakeOptions:
    """Settings by name, with their defaults until they are set."""

    def __init__(self) -> None:
        self.sections: dict[str, Any] = {}

    def add_option(self, key: str, info: Any) -> None:
        self.sections[key] = info.section
        setattr(self, key, info.default)


@pytest.fixture
def web_ui(output: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebUi]:
    """Return a web UI that loaded the extension and saves into that folder."""
    host = WebUi(output, opts=FakeOptions())
    option_info = lambda default, label, *, section: SimpleNamespace(  # noqa: E731
        default=default, label=label, section=section
    )
    modules = ModuleType("modules")
    modules.script_callbacks = SimpleNamespace(  # type: ignore[attr-defined]
        on_ui_settings=host.on_settings.append, on_image_saved=host.on_saved.append
    )
    modules.shared = SimpleNamespace(opts=host.opts, OptionInfo=option_info)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "modules", modules)
    base = INTEGRATIONS / "a1111-vestige"
    with monkeypatch.context() as patch:
        patch.syspath_prepend(base)
        load("vestige_record", base / "scripts" / "vestige_record.py", monkeypatch)
    for callback in host.on_settings:
        callback()
    yield host
    sys.modules.pop("vestige_recorder", None)
