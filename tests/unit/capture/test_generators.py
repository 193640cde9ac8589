"""What each tool writes, in the places where it writes it, and what is made of it."""

from __future__ import annotations

import json

import pytest

from tests.parts.image_files import (
    ascii_tag,
    chunk,
    exif,
    itext,
    jpeg,
    parsed,
    png,
    segment,
    text,
    user_comment,
    webp,
    xmp,
)

A1111 = (
    "a cat <lora:fur:0.8> <lyco:style>\nNegative prompt: a dog\nSteps: 20, Sampler: Euler a, "
    "Schedule type: Karras, CFG scale: 7.5, Seed: 18446744073709551615, Size: 512x768, "
    'Model hash: c0d1994c73, Model: sd15, VAE: vae.pt, Denoising strength: 0.4, Clip skip: 2, '
    'Lora hashes: "fur: aabbccdd, other: 11223344", '
    "Version: {version}"
)  # fmt: skip


def in_every_place(value: str) -> list[bytes]:
    """Return files that carry a text where the web UIs put it."""
    block = exif(comment=(user_comment(value),))
    return [
        png(text("parameters", value)),
        png(chunk(b"eXIf", block)),
        jpeg(segment(0xE1, b"Exif\0\0" + block)),
        webp((b"EXIF", block)),
        webp((b"EXIF", exif(comment=(user_comment(value),), order="<"))),
    ]


# -- AUTOMATIC1111 and its like --------------------------------------------------------------------


@pytest.mark.parametrize("place", range(5))
def test_a1111(place):
    found = parsed(in_every_place(A1111.replace("{version}", "v1.10.1"))[place])
    assert found.tool == "AUTOMATIC1111"
    assert found.fields == {
        "prompt": "a cat <lora:fur:0.8> <lyco:style>",
        "negative_prompt": "a dog",
        "loras": [
            {"name": "fur", "weight": "0.8", "hash": "aabbccdd"},
            {"name": "style"},
            {"name": "other", "hash": "11223344"},
        ],
        "steps": 20,
        "sampler": "Euler a",
        "scheduler": "Karras",
        "cfg_scale": "7.5",
        "seed": "18446744073709551615",
        "size": "512x768",
        "model": "sd15",
        "model_hash": "c0d1994c73",
        "vae": "vae.pt",
        "denoise": "0.4",
        "clip_skip": 2,
        "tool_version": "v1.10.1",
        "settings": {"Lora hashes": "fur: aabbccdd, other: 11223344"},
    }


@pytest.mark.parametrize(
    ("version", "tool"),
    [
        ("v1.10.1", "AUTOMATIC1111"),
        ("f2.0.1v1.10.1-previous-659-gc055f2d4", "Forge"),
        ("neo", "AUTOMATIC1111"),
        ("neo-2.1", "Forge"),
        ("ComfyUI", "ComfyUI"),
        ("6b9d6f1, App: SD.Next", "SD.Next"),
        ("Fooocus v2.5.0", "Fooocus"),
    ],
)
def test_its_like_are_told_apart_by_their_version(version, tool):
    assert parsed(png(text("parameters", A1111.replace("{version}", version)))).tool == tool


def test_a_comment_of_somebody_is_not_taken_for_a_prompt():
    comment = "taken on my holidays; Steps: many"
    found = parsed(jpeg(segment(0xE1, b"Exif\0\0" + exif(comment=(user_comment(comment),)))))
    assert (found.tool, found.fields) == (None, {})


def test_a_parameters_text_without_settings_is_a_prompt_with_a_note():
    found = parsed(png(text("parameters", "a cat")))
    assert found.fields == {"prompt": "a cat"}
    assert any("no line of settings" in note for note in found.notes)


def test_postprocessing_is_kept_as_a_setting():
    found = parsed(png(text("parameters", A1111), text("postprocessing", "Upscale: 4")))
    assert found.fields["settings"]["postprocessing"] == "Upscale: 4"


# -- ComfyUI ---------------------------------------------------------------------------------------


def node(kind: str, **inputs: object) -> dict[str, object]:
    return {"class_type": kind, "inputs": inputs}


BASIC = {
    "3": node(
        "KSampler", seed=2**63 + 1, steps=20, cfg=8.0, sampler_name="euler", scheduler="normal",
        denoise=1, model=["10", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0],
    ),
    "4": node("CheckpointLoaderSimple", ckpt_name="sd.safetensors"),
    "5": node("EmptyLatentImage", width=512, height=640, batch_size=1),
    "6": node("CLIPTextEncode", text="a cat", clip=["10", 1]),
    "7": node("CLIPTextEncode", text="a dog", clip=["10", 1]),
    "8": node("VAEDecode", samples=["3", 0], vae=["11", 0]),
    "9": node("SaveImage", filename_prefix="x", images=["8", 0]),
    "10": node("LoraLoader", lora_name="fur.safetensors", strength_model=0.7, strength_clip=1,
               model=["4", 0], clip=["4", 1]),
    "11": node("VAELoader", vae_name="vae.pt"),
}  # fmt: skip


def comfy(graph: dict[str, object]) -> dict[str, object]:
    found = parsed(png(text("prompt", json.dumps(graph))))
    assert found.tool == "ComfyUI"
    return dict(found.fields)


@pytest.mark.parametrize("place", ["png", "comf", "webp", "webp comment"])
def test_comfyui(place):
    prompt, workflow = json.dumps(BASIC), json.dumps({"nodes": [], "links": []})
    data = {
        "png": png(text("prompt", prompt), itext("workflow", workflow)),
        "comf": png(
            after=(
                chunk(b"comf", b"prompt\0" + prompt.encode()),
                chunk(b"comf", b"workflow\0" + workflow.encode()),
            )
        ),
        "webp": webp(
            (
                b"EXIF",
                exif(
                    ascii_tag(0x010F, f"workflow:{workflow}"), ascii_tag(0x0110, f"prompt:{prompt}")
                ),
            )
        ),
        "webp comment": webp(
            (
                b"EXIF",
                exif(comment=(user_comment(f'{{"prompt": {prompt}, "workflow": {workflow}}}'),)),
            )
        ),
    }[place]
    found = parsed(data)
    assert found.tool == "ComfyUI"
    fields = dict(found.fields)
    assert json.loads(fields.pop("graph")) == BASIC
    assert json.loads(fields.pop("workflow")) == {"nodes": [], "links": []}
    assert fields == {
        "prompt": "a cat",
        "negative_prompt": "a dog",
        "seed": "9223372036854775809",
        "steps": 20,
        "cfg_scale": "8.0",
        "sampler": "euler",
        "scheduler": "normal",
        "denoise": "1",
        "model": "sd.safetensors",
        "loras": [{"name": "fur.safetensors", "weight": "0.7"}],
        "size": "512x640",
    }


def test_comfyui_keeps_both_graphs_as_they_stand():
    prompt = '{"3":   {"class_type": "KSampler", "inputs": {"steps": 1.50, "positive": ["6", 0]}}}'
    assert comfy_text(prompt)["graph"] == prompt


def comfy_text(prompt: str) -> dict[str, object]:
    return dict(parsed(png(text("prompt", prompt))).fields)


def test_comfyui_gives_the_first_of_two_samplers_and_lists_both():
    graph = BASIC | {
        "20": node("KSampler", seed=5, steps=8, cfg=4, sampler_name="dpm", scheduler="karras",
                   denoise=0.5, model=["4", 0], positive=["21", 0], negative=["7", 0],
                   latent_image=["3", 0]),
        "21": node("CLIPTextEncode", text="more detail", clip=["4", 1]),
        "8": node("VAEDecode", samples=["20", 0], vae=["4", 2]),
    }  # fmt: skip
    fields = comfy(graph)
    assert (fields["seed"], fields["prompt"]) == ("9223372036854775809", "a cat")
    assert [(run["seed"], run["prompt"]) for run in fields["samplers"]] == [
        ("9223372036854775809", "a cat"),
        ("5", "more detail"),
    ]


def test_comfyui_leaves_out_samplers_that_lead_nowhere():
    graph = BASIC | {
        "30": node("KSampler", seed=99, steps=1, positive=["7", 0], latent_image=["5", 0])
    }
    fields = comfy(graph)
    assert fields["seed"] == "9223372036854775809"
    assert "samplers" not in fields


def test_comfyui_passes_control_nets_on_the_right_side():
    graph = dict(BASIC)
    graph["3"] = node(
        "KSampler", seed=1, steps=2, positive=["40", 0], negative=["40", 1], latent_image=["5", 0]
    )
    graph["40"] = node(
        "ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], strength=1, image=["41", 0]
    )
    graph["41"] = node("LoadImage", image="a face.png")
    fields = comfy(graph)
    assert (fields["prompt"], fields["negative_prompt"]) == ("a cat", "a dog")


def test_comfyui_reads_a_styler_by_its_side():
    graph = dict(BASIC)
    graph["50"] = node(
        "SDXLPromptStyler", text_positive="a styled cat", text_negative="a styled dog"
    )
    graph["6"] = node("CLIPTextEncodeSDXL", text_g=["50", 0], text_l=["50", 0], clip=["4", 1])
    graph["7"] = node("CLIPTextEncodeSDXL", text_g=["50", 1], text_l=["50", 1], clip=["4", 1])
    fields = comfy(graph)
    assert (fields["prompt"], fields["negative_prompt"]) == ("a styled cat", "a styled dog")


def test_comfyui_joins_combined_conditioning():
    graph = BASIC | {
        "6": node("ConditioningCombine", conditioning_1=["60", 0], conditioning_2=["61", 0]),
        "60": node("CLIPTextEncode", text="a cat"),
        "61": node("CLIPTextEncode", text="on a mat"),
    }
    assert comfy(graph)["prompt"] == "a cat\non a mat"


def test_comfyui_reads_flux_graphs_with_parts_of_their_own():
    graph = {
        "1": node("SamplerCustomAdvanced", noise=["2", 0], guider=["3", 0], sampler=["4", 0],
                  sigmas=["5", 0], latent_image=["6", 0]),
        "2": node("RandomNoise", noise_seed=77),
        "3": node("BasicGuider", model=["7", 0], conditioning=["8", 0]),
        "4": node("KSamplerSelect", sampler_name="euler"),
        "5": node("BasicScheduler", scheduler="simple", steps=20, denoise=1, model=["7", 0]),
        "6": node("EmptySD3LatentImage", width=1024, height=1024),
        "7": node("UNETLoader", unet_name="flux.sft"),
        "8": node("FluxGuidance", guidance=3.5, conditioning=["9", 0]),
        "9": node("CLIPTextEncode", text="a cat"),
        "10": node("VAEDecode", samples=["1", 0]),
        "11": node("SaveImage", images=["10", 0]),
    }  # fmt: skip
    fields = comfy(graph)
    del fields["graph"]
    assert fields == {
        "prompt": "a cat",
        "seed": "77",
        "steps": 20,
        "sampler": "euler",
        "scheduler": "simple",
        "denoise": "1",
        "model": "flux.sft",
        "size": "1024x1024",
        "settings": {"guidance": "3.5"},
    }


def test_comfyui_follows_values_that_other_nodes_give():
    graph = BASIC | {
        "3": node("KSampler", seed=["70", 0], steps=["71", 0], cfg=1, positive=["6", 0],
                  latent_image=["5", 0]),
        "70": node("Seed (rgthree)", seed=31),
        "71": node("PrimitiveInt", value=["72", 0]),
        "72": node("PrimitiveInt", value=12),
        "6": node("CLIPTextEncode", text=["73", 0]),
        "73": node("PrimitiveString", value="a linked cat"),
    }  # fmt: skip
    fields = comfy(graph)
    assert (fields["seed"], fields["steps"], fields["prompt"]) == ("31", 12, "a linked cat")


def test_comfyui_ends_on_a_graph_that_goes_in_circles():
    graph = {
        "1": node("KSampler", seed=["2", 0], steps=1, model=["2", 0], positive=["2", 0],
                  images=["1", 0]),
        "2": node("Loop", seed=["1", 0], positive=["3", 0], model=["1", 0]),
        "3": node("Loop", positive=["2", 0], value=["2", 0]),
    }  # fmt: skip
    fields = comfy(graph)
    assert fields["steps"] == 1
    assert "prompt" not in fields


def test_comfyui_reads_a_drawn_graph_where_there_is_no_other():
    workflow = {
        "nodes": [
            {"id": 3, "type": "KSampler",
             "widgets_values": [7, "fixed", 20, 8, "euler", "normal", 1],
             "inputs": [{"name": "positive", "link": 1}, {"name": "negative", "link": 2},
                        {"name": "latent_image", "link": 3}, {"name": "model", "link": 4}]},
            {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["sd.ckpt"]},
            {"id": 5, "type": "EmptyLatentImage", "widgets_values": [512, 640, 1]},
            {"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a cat"]},
            {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["a dog"]},
            {"id": 8, "type": "KSampler", "mode": 4, "widgets_values": [9]},
            {"id": 9, "type": "SaveImage", "inputs": [{"name": "images", "link": 5}]},
        ],
        "links": [[1, 6, 0, 3, 0, "CONDITIONING"], [2, 7, 0, 3, 1, "CONDITIONING"],
                  [3, 5, 0, 3, 2, "LATENT"], [4, 4, 0, 3, 3, "MODEL"], [5, 3, 0, 9, 0, "LATENT"]],
    }  # fmt: skip
    found = parsed(png(text("workflow", json.dumps(workflow))))
    fields = dict(found.fields)
    del fields["workflow"]
    assert fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "seed": "7", "steps": 20, "cfg_scale": "8",
        "sampler": "euler", "scheduler": "normal", "denoise": "1", "model": "sd.ckpt",
        "size": "512x640",
    }  # fmt: skip
    assert any("drawn graph" in note for note in found.notes)


@pytest.mark.parametrize(
    "prompt",
    [
        "{}", '{"1": {}}', '{"1": {"inputs": []}}', '{"1": 5}', '{"a": {"inputs": {"x": 1}}}',
        '{"1": {"inputs": {"positive": ["1", 0], "steps": {}}}}', "{not json",
        '{"1": {"inputs": {"positive": [[], 0], "steps": 1, "images": [null, 1]}}}',
    ],
)  # fmt: skip
def test_comfyui_keeps_what_it_cannot_read(prompt):
    found = parsed(png(text("prompt", prompt)))
    assert found.tool == "ComfyUI"
    assert found.fields["graph"] == prompt


def test_comfyui_reads_not_a_number_and_what_is_beside_it():
    prompt = json.dumps(BASIC)[:-1] + ', "80": {"inputs": {}, "is_changed": [NaN, Infinity]}}'
    assert comfy_text(prompt)["prompt"] == "a cat"


def test_a_prompt_in_words_is_not_taken_for_a_graph():
    assert parsed(png(text("prompt", "a cat"))).tool is None


# -- InvokeAI --------------------------------------------------------------------------------------


def test_invokeai():
    metadata = {
        "app_version": "5.4.0",
        "generation_mode": "sdxl_txt2img",
        "positive_prompt": "a cat",
        "negative_prompt": "a dog",
        "width": 1024,
        "height": 768,
        "seed": 4294967295,
        "cfg_scale": 7.5,
        "steps": 30,
        "scheduler": "euler_a",
        "strength": 0.55,
        "model": {"key": "k", "hash": "blake3:aa", "name": "sdxl", "base": "sdxl", "type": "main"},
        "vae": {"name": "vae"},
        "loras": [
            {"model": {"name": "fur", "hash": "blake3:bb"}, "weight": 0.75},
            {"lora": {"model_name": "old"}, "weight": 1},
        ],
        "rand_device": "cpu",
        "controlnets": [],
    }
    found = parsed(
        png(
            text("invokeai_metadata", json.dumps(metadata)),
            text("invokeai_workflow", '{"w": 1}'),
            text("invokeai_graph", '{"g": 1}'),
        )
    )
    assert found.tool == "InvokeAI"
    assert found.fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "seed": "4294967295", "steps": 30,
        "cfg_scale": "7.5", "sampler": "euler_a", "size": "1024x768", "denoise": "0.55",
        "model": "sdxl", "model_hash": "blake3:aa", "vae": "vae",
        "loras": [{"name": "fur", "hash": "blake3:bb", "weight": "0.75"},
                  {"name": "old", "weight": "1"}],
        "tool_version": "5.4.0", "workflow": '{"w": 1}', "graph": '{"g": 1}',
        "settings": {"generation_mode": "sdxl_txt2img", "rand_device": "cpu", "controlnets": "[]"},
    }  # fmt: skip


@pytest.mark.parametrize("prompt", ["a cat [a dog]", [{"prompt": "a cat [a dog]", "weight": 1.0}]])
def test_invokeai_of_the_second_kind(prompt):
    metadata = {
        "model": "stable diffusion",
        "model_weights": "sd-1.5",
        "model_hash": "cc" * 32,
        "app_version": "2.3.0",
        "image": {
            "prompt": prompt, "steps": 50, "cfg_scale": 7.5, "seed": 3, "width": 512, "height": 512,
            "sampler": "k_lms", "type": "txt2img", "postprocessing": None,
        },
    }  # fmt: skip
    found = parsed(png(text("sd-metadata", json.dumps(metadata)), text("Dream", '"x" -s1')))
    assert found.fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "seed": "3", "steps": 50, "cfg_scale": "7.5",
        "sampler": "k_lms", "size": "512x512", "model": "sd-1.5", "model_hash": "cc" * 32,
        "tool_version": "2.3.0", "settings": {"type": "txt2img"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "dream",
    [
        '"a cat [a dog]" -s 50 -S 3 -W 512 -H 640 -C 7.5 -A k_lms -U 2',
        '"a cat [a dog]" -s50 -S3 -W512 -H640 -C7.5 -Ak_lms -U2',
    ],
)
def test_invokeai_of_the_first_kind(dream):
    assert parsed(png(text("Dream", dream))).fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "seed": "3", "steps": 50, "cfg_scale": "7.5",
        "sampler": "k_lms", "size": "512x640", "settings": {"-U": "2"},
    }  # fmt: skip


# -- Fooocus ---------------------------------------------------------------------------------------

FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernaut", "base_model_hash": "aeb7e9e689",
    "guidance_scale": 4, "loras": [["offset", 0.1, "4852686128"]], "metadata_scheme": "fooocus",
    "negative_prompt": "a dog", "prompt": "a cat", "resolution": "(768, 1280)",
    "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "6952411511246973023",
    "steps": 30, "vae": "Default (model)", "version": "Fooocus v2.4.3",
}  # fmt: skip


@pytest.mark.parametrize("place", ["png", "exif"])
def test_fooocus(place):
    value = json.dumps(FOOOCUS)
    block = exif(
        ascii_tag(0x0131, "Fooocus v2.4.3"),
        ascii_tag(0x927C, "fooocus"),
        ascii_tag(0x9286, value),
    )
    data = png(text("parameters", value), text("fooocus_scheme", "fooocus"))
    found = parsed(data if place == "png" else webp((b"EXIF", block)))
    assert found.tool == "Fooocus"
    assert found.fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "seed": "6952411511246973023", "steps": 30,
        "cfg_scale": "4", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "size": "768x1280",
        "model": "juggernaut", "model_hash": "aeb7e9e689", "vae": "Default (model)",
        "loras": [{"name": "offset", "weight": "0.1", "hash": "4852686128"}],
        "tool_version": "Fooocus v2.4.3",
        "settings": {"adm_guidance": "(1.5, 0.8, 0.3)", "metadata_scheme": "fooocus"},
    }  # fmt: skip


def test_fooocus_in_the_manner_of_the_web_ui():
    value = (
        "cinematic a cat, sharp\nNegative prompt: ugly, a dog\nSteps: 30, Sampler: DPM++ 2M SDE "
        "Karras, Seed: 5, Size: 768x1280, CFG scale: 4, Model: jugg, Raw prompt: a cat, "
        'Raw negative prompt: a dog, Lora hashes: "offset: 48526861", '
        'Lora weights: "offset: 0.1", Version: Fooocus v2.5.0'
    )
    found = parsed(png(text("parameters", value), text("fooocus_scheme", "a1111")))
    assert found.tool == "Fooocus"
    assert (found.fields["prompt"], found.fields["negative_prompt"]) == ("a cat", "a dog")
    assert found.fields["settings"]["Raw prompt with styles"] == "cinematic a cat, sharp"
    assert found.fields["loras"] == [{"name": "offset", "hash": "48526861", "weight": "0.1"}]


@pytest.mark.parametrize("is_jpeg", [False, True])
def test_fooocus_mre(is_jpeg):
    value = json.dumps({
        "prompt": "a cat", "negative_prompt": "a dog", "seed": 9, "steps": 30, "cfg": 7.0,
        "width": 896, "height": 1152, "base_model": "sdxl", "sampler": "dpmpp",
        "software": "MRE 2.0",
    })  # fmt: skip
    data = jpeg(segment(0xFE, value.encode())) if is_jpeg else png(text("Comment", value))
    found = parsed(data)
    assert found.tool == "Fooocus MRE"
    assert (found.fields["size"], found.fields["cfg_scale"]) == ("896x1152", "7.0")


def test_fooocus_networks_by_number():
    value = dict(FOOOCUS, loras=None, lora_combined_1="a : 0.5", lora_combined_2="True : b : 1.0",
                 lora_combined_3="False : c : 1.0")  # fmt: skip
    found = parsed(png(text("parameters", json.dumps(value))))
    assert found.fields["loras"] == [
        {"name": "a", "weight": "0.5"},
        {"name": "b", "weight": "1.0"},
    ]


# -- SwarmUI ---------------------------------------------------------------------------------------

SWARM = {
    "sui_image_params": {
        "prompt": "a cat", "negativeprompt": "a dog", "model": "Official/sdxl", "seed": 1,
        "steps": 20, "cfgscale": 7.0, "width": 1024, "height": 768, "sampler": "euler",
        "scheduler": "simple", "loras": ["fur"], "loraweights": ["0.5"], "automaticvae": True,
        "swarm_version": "0.9.3.1",
    },
    "sui_extra_data": {"date": "2024-11-13", "original_prompt": "a <random:cat,dog>"},
    "sui_models": [{"name": "Official/sdxl.safetensors", "param": "model", "hash": "0xab"}],
}  # fmt: skip


@pytest.mark.parametrize("place", ["png", "comment", "model"])
def test_swarmui(place):
    value = json.dumps(SWARM, indent=2)
    data = {
        "png": png(itext("parameters", value)),
        "comment": jpeg(segment(0xE1, b"Exif\0\0" + exif(comment=(user_comment(value),)))),
        "model": jpeg(segment(0xE1, b"Exif\0\0" + exif(ascii_tag(0x0110, value)))),
    }[place]
    found = parsed(data)
    assert found.tool == "SwarmUI"
    assert found.fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "original_prompt": "a <random:cat,dog>",
        "seed": "1", "steps": 20, "cfg_scale": "7.0", "sampler": "euler", "scheduler": "simple",
        "size": "1024x768", "model": "Official/sdxl", "model_hash": "0xab",
        "loras": [{"name": "fur", "weight": "0.5"}], "tool_version": "0.9.3.1",
        "settings": {"automaticvae": "true", "date": "2024-11-13",
                     "original_prompt": "a <random:cat,dog>"},
    }  # fmt: skip


# -- NovelAI ---------------------------------------------------------------------------------------

NOVELAI = {
    "prompt": "a cat", "steps": 28, "height": 1216, "width": 832, "scale": 5.0, "uc": "blurry",
    "seed": 4064318512, "sampler": "k_euler_ancestral", "noise_schedule": "karras",
    "v4_prompt": {"caption": {"base_caption": "a", "char_captions": [{"char_caption": "black"}]}},
    "signed_hash": "c2lnbmVk", "request_type": "PromptGenerateRequest",
}  # fmt: skip


@pytest.mark.parametrize("place", ["png", "webp"])
def test_novelai(place):
    texts = {
        "Title": "NovelAI generated image", "Description": "a cat", "Software": "NovelAI",
        "Source": "NovelAI Diffusion V4.5 4BDE2A90", "Comment": json.dumps(NOVELAI),
    }  # fmt: skip
    block = exif(ascii_tag(0x0131, "NovelAI"), comment=(user_comment(json.dumps(texts)),))
    is_png = place == "png"
    data = png(*(text(k, v) for k, v in texts.items())) if is_png else webp((b"EXIF", block))
    found = parsed(data)
    assert found.tool == "NovelAI"
    fields = dict(found.fields)
    settings = fields.pop("settings")
    assert fields == {
        "prompt": "a cat", "negative_prompt": "blurry", "characters": ["black"],
        "seed": "4064318512", "steps": 28, "cfg_scale": "5.0", "sampler": "k_euler_ancestral",
        "scheduler": "karras", "size": "832x1216", "model": "NovelAI Diffusion V4.5",
        "model_hash": "4BDE2A90", "signed_hash": "c2lnbmVk",
    }  # fmt: skip
    assert settings["request_type"] == "PromptGenerateRequest"


def test_novelai_is_known_by_its_comment_alone():
    assert parsed(png(text("Comment", json.dumps(NOVELAI)))).tool == "NovelAI"


@pytest.mark.parametrize("comment", ["made with love", '{"a": 1}', "[]", "{broken"])
def test_another_comment_is_not_novelais(comment):
    assert parsed(png(text("Comment", comment))).tool is None


# -- Draw Things, Midjourney, Easy Diffusion -------------------------------------------------------


def test_draw_things():
    value = json.dumps({
        "c": "a cat", "uc": "a dog", "seed": 100, "steps": 20, "scale": 7.5, "sampler": "DPM++ 2M",
        "model": "sd.ckpt", "size": "512x512", "strength": 1, "seed_mode": "Scale Alike",
        "lora": [{"model": "fur.ckpt", "weight": 0.6}], "v2": {"steps": 20},
    })  # fmt: skip
    escaped = value.replace("&", "&amp;").replace('"', "&quot;")
    packet = xmp(
        "<xmp:CreatorTool>Draw Things</xmp:CreatorTool>"
        f"<exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>{escaped}</rdf:li></rdf:Alt>"
        "</exif:UserComment>"
    )
    found = parsed(png(itext("XML:com.adobe.xmp", packet)))
    assert found.tool == "Draw Things"
    assert found.fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "seed": "100", "steps": 20,
        "cfg_scale": "7.5", "sampler": "DPM++ 2M", "model": "sd.ckpt", "size": "512x512",
        "denoise": "1", "loras": [{"name": "fur.ckpt", "weight": "0.6"}],
        "settings": {"seed_mode": "Scale Alike", "v2": '{"steps": 20}'},
    }  # fmt: skip


JOB = "a7421d2f-b262-44f9-977c-ac23e9c7d3e3"


def test_midjourney():
    described = f"a cat on a mat --ar 2:1 --no dog, bird --seed 7 --v 6 Job ID: {JOB}"
    packet = xmp(
        "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/"
        "trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>"
        f"<Iptc4xmpExt:DigImageGUID>{JOB}</Iptc4xmpExt:DigImageGUID>"
    )
    found = parsed(
        png(
            text("Description", described),
            text("Author", "somebody"),
            text("Creation Time", "Mon, 23 Nov 2026 10:02:08 GMT"),
            itext("XML:com.adobe.xmp", packet),
        )
    )
    assert found.tool == "Midjourney"
    fields = dict(found.fields)
    settings = fields.pop("settings")
    assert fields == {
        "prompt": "a cat on a mat", "negative_prompt": "dog, bird", "seed": "7",
        "tool_version": "6", "job_id": JOB, "author": "somebody",
        "created": "Mon, 23 Nov 2026 10:02:08 GMT",
        "image_guid": JOB, "digital_source_type": "trainedAlgorithmicMedia",
    }  # fmt: skip
    assert settings["--ar"] == "2:1"
    assert settings["description"] == described


def test_a_description_without_a_job_is_not_midjourneys():
    assert parsed(png(text("Description", "a cat --v 6"))).tool is None


@pytest.mark.parametrize("spelling", [0, 1])
@pytest.mark.parametrize("is_png", [True, False])
def test_easy_diffusion(spelling, is_png):
    names = [
        ("prompt", "Prompt", "a cat"), ("negative_prompt", "Negative Prompt", "a dog"),
        ("seed", "Seed", "5"), ("num_inference_steps", "Steps", "25"),
        ("guidance_scale", "Guidance Scale", "7.5"), ("sampler_name", "Sampler", "euler_a"),
        ("width", "Width", "512"), ("height", "Height", "640"),
        ("use_stable_diffusion_model", "Stable Diffusion model", "C:\\Users\\a person\\sd15.ckpt"),
        ("use_vae_model", "VAE model", "vae"), ("use_lora_model", "LoRA model", "fur"),
        ("lora_alpha", "LoRA Strength", "0.5"), ("clip_skip", "Clip Skip", "False"),
    ]  # fmt: skip
    values = {row[spelling]: row[2] for row in names}
    block = exif(comment=(user_comment(json.dumps(values)),))
    data = png(*(text(k, v) for k, v in values.items())) if is_png else webp((b"EXIF", block))
    found = parsed(data)
    assert found.tool == "Easy Diffusion"
    assert found.fields == {
        "prompt": "a cat", "negative_prompt": "a dog", "seed": "5", "steps": 25, "cfg_scale": "7.5",
        "sampler": "euler_a", "size": "512x640", "model": "sd15.ckpt", "vae": "vae",
        "loras": [{"name": "fur", "weight": "0.5"}], "settings": {"clip_skip": "False"},
    }  # fmt: skip


# -- those that write their name, and several at once ----------------------------------------------


@pytest.mark.parametrize(
    ("tags", "tool"),
    [
        ([ascii_tag(0x010F, "Ideogram AI")], "Ideogram"),
        ([ascii_tag(0x0131, "reve.com")], "Reve"),
        ([ascii_tag(0x010E, "Signature: c2ln"), ascii_tag(0x013B, JOB)], "Grok"),
        ([ascii_tag(0x010F, "Canon"), ascii_tag(0x0110, "EOS")], None),
        ([ascii_tag(0x010E, "Signature: of a person"), ascii_tag(0x013B, "a person")], None),
    ],
)
def test_names_alone(tags, tool):
    found = parsed(jpeg(segment(0xE1, b"Exif\0\0" + exif(*tags))))
    assert found.tool == tool
    if tool == "Grok":
        assert found.fields == {"job_id": JOB, "signature": "c2ln"}


def test_two_tools_in_one_file_are_told():
    found = parsed(png(text("parameters", A1111), text("prompt", json.dumps(BASIC))))
    assert found.tool == "ComfyUI"
    assert "the file also carries what AUTOMATIC1111 writes" in found.notes


def test_a_tool_whose_text_is_broken_does_not_hide_another():
    found = parsed(png(text("invokeai_metadata", "{broken"), text("parameters", A1111)))
    assert found.tool == "AUTOMATIC1111"
    assert any("invokeai_metadata" in note for note in found.notes)
