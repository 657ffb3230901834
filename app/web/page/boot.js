// Loads the designer, says how far that is, and says what to do when it cannot be loaded.

const version = new URL(import.meta.url).search;
const page = (id) => document.getElementById(id);
const root = document.documentElement;
let failed = false;

// A theme that was chosen in the designer holds before the designer is there.
try {
  const { theme } = JSON.parse(localStorage.getItem("weir.settings") ?? "{}");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
} catch {
  // Without storage the theme is the one of the system.
}

// What happened, and what the user can do now. The first trouble explains the later ones.
function fail(what, next) {
  if (failed) return;
  failed = true;
  delete root.dataset.weir;
  page("cover").className = "failed";
  page("state").setAttribute("role", "alert");
  page("state").textContent = `${what} ${next}`;
  page("again").hidden = false;
  page("again").focus();
}

function say(part) {
  page("progress").value = part;
  const percent = Math.floor(part * 100);
  page("state").textContent = part < 1 ? `Loading the designer… ${percent} %` : "Starting the designer…";
}

// The module as it arrives. Its length is the one on disk: what is sent may be compressed.
async function download(address) {
  const size = Number(document.querySelector("meta[name=weir-size]").content);
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the server answered ${response.status} for weir_bg.wasm`);
  const reader = response.body.getReader();
  let loaded = 0;
  const counted = new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      loaded += value.length;
      say(Math.min(loaded / size, 1));
      controller.enqueue(value);
    },
  });
  return new Response(counted, { headers: { "Content-Type": "application/wasm" } });
}

function hasGraphics() {
  const canvas = document.createElement("canvas");
  return Boolean(canvas.getContext("webgl2") ?? canvas.getContext("webgl"));
}

async function boot() {
  performance.mark("weir:boot");
  if (typeof WebAssembly !== "object") {
    return fail(
      "This browser does not run WebAssembly, which the designer is made of.",
      "Allow it for this page or update the browser, and load again.",
    );
  }
  if (!hasGraphics()) {
    return fail(
      "This browser offers no WebGL, which the designer draws with.",
      "Turn on hardware acceleration in its settings or use another browser, and load again.",
    );
  }
  try {
    const { default: init, start } = await import(`./weir.js${version}`);
    await init({ module_or_path: download(`weir_bg.wasm${version}`) });
    performance.mark("weir:loaded");
    await start(page("designer"));
  } catch (error) {
    console.error(error);
    fail(
      `The designer could not be started: ${error?.message ?? error}.`,
      "Load again; if it stays like this, files of the page are missing: build it anew.",
    );
  }
}

page("late").remove();
page("again").addEventListener("click", () => location.reload());

// A trap in the module ends it for good: say so instead of standing still.
addEventListener("error", ({ error }) => {
  if (error instanceof WebAssembly.RuntimeError) {
    fail("The designer stopped because of a mistake in it.", "Load again: unsaved work was kept.");
  }
});
page("designer").addEventListener("webglcontextlost", () => {
  fail("The browser took the graphics away from this page.", "Load again: unsaved work was kept.");
});
// The designer was closed from inside; a page cannot close its own tab.
addEventListener("weir:close", () => fail("The designer is closed.", "Close this tab, or load again to go on."));

boot();
