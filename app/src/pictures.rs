//! Pictures of the designer without a display, drawn by a small rasteriser, for people to look at.
//!
//! They go to the folder `panels` of `WEIR_PICTURES`; without it the scenes are played, but not drawn.
//! `WEIR_SCENES` names those that are wanted, by a part of their name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use egui::epaint::{ClippedPrimitive, ImageData, Mesh, Primitive, Vertex};
use egui::{
    Color32, ColorImage, Key, Modifiers, Pos2, Rect, TextureId, TexturesDelta, ThemePreference,
    Vec2, pos2, vec2,
};
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, TestRenderer};
use graph_model::catalog::Catalog;
use graph_model::value;
use runtime_protocol::Target;

use crate::code_tests;
use crate::designer::Designer;
use crate::host::Location;
use crate::show_me_tests::CHARGE;
use crate::tests::{FakeEngine, FakeHost, click, press, settle, type_text};
use crate::view::{BottomTab, SideTab};

/// What is photographed: its name, and how the designer gets there from the open sample.
const SCENES: &[(&str, Scene)] = &[
    ("hazard", |harness| press(harness, Modifiers::NONE, Key::F4)),
    ("preview", |harness| {
        press(harness, Modifiers::NONE, Key::F4);
        press(harness, Modifiers::NONE, Key::F4);
        press(harness, Modifiers::NONE, Key::Period);
    }),
    ("preview of a removal", |harness| {
        let state = &harness.state().state;
        let mut build = state.build("Take Approved out");
        build.remove_and_reconnect(&"approved".into());
        build.set_config(&"payouts".into(), "table", Some("paid".into()));
        let preview = crate::state::Preview {
            finding: 0,
            fix: 0,
            title: "Take Approved out".to_owned(),
            caution: "everything is paid out from then on".to_owned(),
            transaction: build.finish(),
        };
        harness.state_mut().state.set_preview(Some(preview));
        harness.state_mut().canvas.zoom_reset();
    }),
    ("show me", |harness| {
        show_charge(harness);
        harness
            .get_by_label("Here it goes wrong: o-1 is written at charge")
            .click_accesskit();
        settle(harness);
    }),
    ("code script", |harness| {
        open_flow(harness, code_tests::FLOW);
        code_tests::choose(harness, "f");
        press(harness, Modifiers::NONE, Key::F12);
    }),
    ("code wrong", |harness| {
        open_flow(
            harness,
            &code_tests::FLOW.replace("return event.data", code_tests::LONGER),
        );
        code_tests::choose(harness, "f");
        press(harness, Modifiers::NONE, Key::F12);
    }),
    ("code expression", |harness| {
        open_flow(harness, code_tests::FLOW);
        press(harness, Modifiers::COMMAND, Key::Enter);
        let data = value!({"total": 7, "tip": 1, "name": "Ann"});
        let session = &mut harness.state_mut().session;
        session.inject(Target::Source("in".into()), data, None);
        code_tests::choose(harness, "m");
        press(harness, Modifiers::NONE, Key::F12);
    }),
    ("code costs", |harness| {
        open_flow(harness, code_tests::FLOW);
        press(harness, Modifiers::COMMAND, Key::Enter);
        let session = &mut harness.state_mut().session;
        session.inject(Target::Source("in".into()), value!({"total": 7}), None);
        settle(harness);
        harness.state_mut().view.show_bottom(BottomTab::Costs);
    }),
    ("show me tests", |harness| {
        let test = r#""tests": {"once": {"title": "Charged once", "expect": {"charge": []}}},
    "layout""#;
        let text = CHARGE.replace(r#""layout""#, test);
        open_flow(harness, &text);
        press(harness, Modifiers::SHIFT, Key::F7);
    }),
    ("show me its fix", |harness| {
        show_charge(harness);
        let fix = harness.state().state.preview_of(0, 0);
        harness.state_mut().edit(fix.expect("a fix").transaction);
        settle(harness);
        click(harness, "Check my fix");
        harness.get_by_label("What should happen").click_accesskit();
        settle(harness);
    }),
    ("port", |harness| {
        harness.state_mut().canvas.zoom_reset();
        settle(harness);
        harness.get_by_label("port approved.out").hover();
        harness.run_steps(40);
    }),
    ("follow", |harness| {
        press(harness, Modifiers::NONE, Key::L);
        type_text(harness, "diagnosis");
        press(harness, Modifiers::NONE, Key::Enter);
    }),
    ("badges", |harness| {
        let mut build = harness.state().state.build("Say more");
        build.change_node(&"desk".into(), |node| {
            let acceptance = graph_model::document::Acceptance::default();
            node.notes.accepted.insert("AUTH-002".into(), acceptance);
            node.notes.declared.insert("must_not_lose", true);
        });
        let transaction = build.finish();
        harness.state_mut().edit(transaction);
        harness.state_mut().canvas.zoom_reset();
        settle(harness);
        select(harness, "desk");
        harness.state_mut().reveal_selection();
        settle(harness);
        harness.get_by_label("node desk, view").hover();
        settle(harness);
    }),
    ("accepted", |harness| {
        press(harness, Modifiers::NONE, Key::F4);
        harness.get_by_label("Reason for accepting").focus();
        type_text(harness, "finance signs a paper");
        press(harness, Modifiers::NONE, Key::Enter);
        harness
            .get_by_label_contains("Accepted · 1")
            .click_accesskit();
        settle(harness);
        press(harness, Modifiers::NONE, Key::F4);
    }),
    ("known", |harness| {
        select(harness, "claims_in");
        harness
            .get_by_label_contains("What you know")
            .click_accesskit();
        settle(harness);
        for (list, words) in [
            ("Declare", "rate"),
            ("Declare", "silent"),
            ("Declare", "principal"),
            ("Assume", "idempotent"),
        ] {
            click(harness, &format!("{list}…"));
            type_text(harness, words);
            press(harness, Modifiers::NONE, Key::Enter);
        }
        scroll(harness, 400.0);
    }),
    ("declare list", |harness| {
        select(harness, "claims");
        harness
            .get_by_label_contains("What you know")
            .click_accesskit();
        settle(harness);
        scroll(harness, 900.0);
        click(harness, "Declare…");
    }),
    ("audience", |harness| {
        select(harness, "claims");
        scroll(harness, 600.0);
    }),
    ("type", |harness| {
        harness.state_mut().view.show_side(SideTab::Types);
        settle(harness);
        click(harness, "claim");
        for (field, words) in [
            ("/amount_cents", "adds up suggested"),
            ("/amount_cents", "measured in cent"),
            ("/claim_id", "it is the version"),
        ] {
            click(harness, &format!("Say of {field}…"));
            type_text(harness, words);
            press(harness, Modifiers::NONE, Key::Enter);
        }
    }),
    ("field list", |harness| {
        harness.state_mut().view.show_side(SideTab::Types);
        settle(harness);
        click(harness, "claim");
        click(
            harness,
            "Take back role:adjusters | subject:/patient_id of /diagnosis",
        );
        click(harness, "Say of /diagnosis…");
    }),
    ("people", |harness| {
        harness.state_mut().view.show_side(SideTab::People);
        settle(harness);
        harness.get_by_label_contains("Ana Ruiz").click_accesskit();
        settle(harness);
        for (list, words) in [
            ("Allow ana something", "read portal"),
            ("Add a rule", "/diagnosis aggregate"),
            ("Set a budget", "concurrency"),
        ] {
            click(harness, &format!("{list}…"));
            type_text(harness, words);
            press(harness, Modifiers::NONE, Key::Enter);
        }
        scroll(harness, 120.0);
    }),
    ("releases", |harness| {
        harness.state_mut().view.show_side(SideTab::People);
        settle(harness);
        for (list, words) in [
            ("Add a rule", "/diagnosis aggregate"),
            ("Add a rule", "/status by finance"),
            ("Set a budget", "concurrency"),
        ] {
            click(harness, &format!("{list}…"));
            type_text(harness, words);
            press(harness, Modifiers::NONE, Key::Enter);
        }
        scroll(harness, 2000.0);
    }),
];

type Scene = fn(&mut Harness<'_, Designer>);

/// Opens a charge that may happen twice, and has its hazard shown.
fn show_charge(harness: &mut Harness<'_, Designer>) {
    let opened = graph_model::format::open(CHARGE.as_bytes()).expect("a flow");
    harness.state_mut().state.open(opened.document, true);
    harness.state_mut().canvas.zoom_to_fit();
    settle(harness);
    press(harness, Modifiers::NONE, Key::F4);
    harness.get_by_label("Show me").click_accesskit();
    harness.run_steps(4);
    harness.get_by_label("Wait here").click_accesskit();
    settle(harness);
}

fn select(harness: &mut Harness<'_, Designer>, node: &str) {
    harness.state_mut().state.select_nodes([node.into()]);
    settle(harness);
}

/// Turns the wheel over the panel on the right.
fn scroll(harness: &mut Harness<'_, Designer>, by: f32) {
    let window = harness.ctx.content_rect();
    let at = pos2(window.max.x - 100.0, window.center().y - 80.0);
    harness.event(egui::Event::PointerMoved(at));
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, -by),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(12);
}

#[test]
fn every_scene_draws_in_little_room_and_wherever_it_is_photographed() {
    let folder = folder();
    let only = std::env::var("WEIR_SCENES").ok();
    let (wide, narrow) = (vec2(1280.0, 800.0), vec2(900.0, 600.0));
    let looks = [
        (ThemePreference::Light, narrow, "light-narrow"),
        (ThemePreference::Light, wide, "light-wide"),
        (ThemePreference::Dark, narrow, "dark-narrow"),
        (ThemePreference::Dark, wide, "dark-wide"),
    ];
    let wanted = if folder.is_some() {
        &looks[..]
    } else {
        &looks[..1]
    };
    for (theme, size, look) in wanted {
        for (scene, play) in SCENES {
            if only
                .as_ref()
                .is_some_and(|only| !scene.contains(only.as_str()))
            {
                continue;
            }
            let (mut harness, camera) = start(*size);
            let ctx = harness.ctx.clone();
            harness.state_mut().set_theme(&ctx, *theme);
            settle(&mut harness);
            play(&mut harness);
            settle(&mut harness);
            harness.check_accessibility();
            if let Some(folder) = &folder {
                let path = folder.join(format!("{scene}-{look}.png"));
                std::fs::write(path, camera.picture(&harness).png()).expect("written");
            }
        }
    }
}

fn open_flow(harness: &mut Harness<'_, Designer>, text: &str) {
    let opened = graph_model::format::open(text.as_bytes()).expect("a flow");
    harness.state_mut().state.open(opened.document, true);
    settle(harness);
}

/// A designer that shows the flawed sample of the clinic, and what takes pictures of it.
fn start(size: Vec2) -> (Harness<'static, Designer>, Camera) {
    let host = FakeHost::default();
    let flow = include_str!("../../samples/clinic-claims/clinic-claims-flawed.flow.json");
    host.put("/clinic.flow.json", flow);
    let camera = Camera::default();
    let engine = Box::<FakeEngine>::default();
    let designer = Designer::new(Box::new(host), Catalog::bundled(), Some(engine));
    let mut harness = Harness::builder()
        .with_size(size)
        .with_max_steps(40)
        .renderer(camera.clone())
        .build_ui_state(|ui, designer: &mut Designer| designer.ui(ui), designer);
    harness.run_steps(4);
    harness.state_mut().open(Location::new("/clinic.flow.json"));
    settle(&mut harness);
    (harness, camera)
}

/// Where pictures are wanted, if they are.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("WEIR_PICTURES")?).join("panels");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    Some(folder)
}

/// Takes pictures of one harness.
#[derive(Clone, Default)]
struct Camera(Arc<Mutex<BTreeMap<String, ColorImage>>>);

impl TestRenderer for Camera {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        let mut textures = self.0.lock().expect("no test panics while it holds this");
        #[expect(
            clippy::iter_over_hash_type,
            reason = "textures do not depend on each other"
        )]
        for (id, deltas) in std::mem::take(&mut delta.set) {
            for delta in deltas {
                let ImageData::Color(image) = delta.image;
                match (delta.pos, textures.get_mut(&key(id))) {
                    (Some([left, top]), Some(whole)) => {
                        for row in 0..image.size[1] {
                            for column in 0..image.size[0] {
                                let at = (top + row) * whole.size[0] + left + column;
                                whole.pixels[at] = image.pixels[row * image.size[0] + column];
                            }
                        }
                    }
                    _ => {
                        textures.insert(key(id), ColorImage::clone(&image));
                    }
                }
            }
        }
    }
}

impl Camera {
    /// What the designer shows now.
    fn picture(&self, harness: &Harness<'_, Designer>) -> Picture {
        let size = harness.ctx.content_rect().size();
        let shapes = harness.output().shapes.clone();
        let mut picture = Picture::new(size.x as usize, size.y as usize);
        let textures = self.0.lock().expect("no test panics while it holds this");
        for ClippedPrimitive {
            clip_rect,
            primitive,
        } in harness.ctx.tessellate(shapes, 1.0)
        {
            if let Primitive::Mesh(mesh) = primitive
                && let Some(texture) = textures.get(&key(mesh.texture_id))
            {
                picture.mesh(clip_rect, &mesh, texture);
            }
        }
        picture
    }
}

/// Textures by name, since their ids have no order.
fn key(id: TextureId) -> String {
    format!("{id:?}")
}

struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 3]>,
}

impl Picture {
    fn new(width: usize, height: usize) -> Picture {
        Picture {
            width,
            height,
            pixels: vec![[0.0; 3]; width * height],
        }
    }

    /// As a file that every viewer opens; nothing in it is packed.
    fn png(&self) -> Vec<u8> {
        let mut raw = Vec::with_capacity((self.width * 3 + 1) * self.height);
        for row in self.pixels.chunks(self.width) {
            raw.push(0);
            for pixel in row {
                raw.extend(pixel.map(|part| part.round().clamp(0.0, 255.0) as u8));
            }
        }
        let mut packed = vec![0x78, 0x01];
        let blocks = raw.chunks(0xffff);
        let last = blocks.len() - 1;
        for (at, block) in blocks.enumerate() {
            let length = block.len() as u16;
            packed.push(u8::from(at == last));
            packed.extend(length.to_le_bytes());
            packed.extend((!length).to_le_bytes());
            packed.extend(block);
        }
        let sums = raw.iter().fold((1, 0), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65_521;
            (a, (a + b) % 65_521)
        });
        packed.extend((sums.1 << 16 | sums.0).to_be_bytes());
        let mut header = Vec::new();
        header.extend((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        header.extend([8, 2, 0, 0, 0]);
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, data) in [(b"IHDR", header), (b"IDAT", packed), (b"IEND", Vec::new())] {
            let body: Vec<u8> = name.iter().copied().chain(data).collect();
            file.extend((body.len() as u32 - 4).to_be_bytes());
            file.extend(&body);
            file.extend(checksum(&body).to_be_bytes());
        }
        file
    }

    fn mesh(&mut self, clip: Rect, mesh: &Mesh, texture: &ColorImage) {
        for corners in mesh.indices.as_chunks::<3>().0 {
            let corners = corners.map(|index| mesh.vertices[index as usize]);
            self.triangle(clip, corners, texture);
        }
    }

    fn triangle(&mut self, clip: Rect, corners: [Vertex; 3], texture: &ColorImage) {
        let [a, b, c] = corners.map(|corner| corner.pos);
        let area = (b - a).x * (c - a).y - (b - a).y * (c - a).x;
        if area.abs() < 1e-6 {
            return;
        }
        let bounds = Rect::from_points(&[a, b, c]).intersect(clip);
        let last = |edge: f32, limit: usize| (edge.ceil().max(0.0) as usize).min(limit);
        for y in bounds.min.y.floor().max(0.0) as usize..last(bounds.max.y, self.height) {
            for x in bounds.min.x.floor().max(0.0) as usize..last(bounds.max.x, self.width) {
                let at = pos2(x as f32 + 0.5, y as f32 + 0.5);
                if !clip.contains(at) {
                    continue;
                }
                let part = |from: Pos2, to: Pos2| {
                    ((to - from).x * (at - from).y - (to - from).y * (at - from).x) / area
                };
                let shares = [part(b, c), part(c, a), part(a, b)];
                // Edges that two triangles share are drawn once.
                if shares.iter().any(|share| *share < 0.0) || shares[0] == 0.0 {
                    continue;
                }
                let mut color = [0.0_f32; 4];
                let mut uv = Vec2::ZERO;
                for (corner, share) in corners.iter().zip(shares) {
                    for (sum, part) in color.iter_mut().zip(corner.color.to_array()) {
                        *sum += f32::from(part) * share;
                    }
                    uv += corner.uv.to_vec2() * share;
                }
                self.blend(x, y, color, texel(texture, uv));
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, color: [f32; 4], texel: Color32) {
        let texel = texel.to_array().map(|part| f32::from(part) / 255.0);
        let alpha = color[3] * texel[3] / 255.0;
        let pixel = &mut self.pixels[y * self.width + x];
        for (at, below) in pixel.iter_mut().enumerate() {
            *below = color[at] * texel[at] + *below * (1.0 - alpha);
        }
    }
}

fn texel(texture: &ColorImage, uv: Vec2) -> Color32 {
    let place = |part: f32, count: usize| {
        ((part * count as f32).max(0.0) as usize).min(count.saturating_sub(1))
    };
    let [width, height] = texture.size;
    texture.pixels[place(uv.y, height) * width + place(uv.x, width)]
}

/// The checksum of PNG.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum: u32, _| {
            let carry = if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
            (sum >> 1) ^ carry
        })
    })
}
