// yk-trace.js - plays a recorded run, forward and back
//
// The element yk-trace holds a script of type application/json, the recording, and a
// table.  ymawky_kit/view/trace.py makes and documents the recording.  Without this
// file, or when the recording cannot be read, the page shows the table.
// No dependency, no request, nothing global but the element's name.
(() => {
  "use strict";
  if (!globalThis.customElements || customElements.get("yk-trace")) return;

  const make = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  const flags = (hex) => {
    const bits = Number(BigInt("0x" + hex) >> 28n) & 15;
    return [..."NZCV"].map((letter, n) => (bits & (8 >> n) ? letter : "-")).join("");
  };

  const number = (hex) => {
    const value = BigInt.asIntN(64, BigInt("0x" + hex));
    if (value > -10n && value < 10n) return String(value);
    return value >= -4096n && value <= 65535n ? `${value} (0x${hex})` : `0x${hex}`;
  };

  class Player extends HTMLElement {
    connectedCallback() {
      // While the page is still being read, what is inside has not arrived yet.
      if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", () => this.begin(), { once: true });
      } else {
        this.begin();
      }
    }

    begin() {
      if (this.dataset.ready) return;
      const script = this.querySelector("script[type='application/json']");
      if (!script) return;
      try {
        this.recording = JSON.parse(script.textContent);
      } catch {
        return;                                   // the table stays
      }
      this.at = 0;
      this.build();
      this.show(0);
      this.dataset.ready = "yes";
    }

    build() {
      const { listing, start, memory, steps, title } = this.recording;
      const button = (text, label, go) => {
        const node = make("button", { type: "button", "aria-label": label, title: label }, text);
        node.addEventListener("click", () => this.show(go()));
        return node;
      };
      this.first = button("|◀\ufe0e", "to the beginning (Home)", () => 0);
      this.back = button("◀\ufe0e", "one step back (left arrow)", () => this.at - 1);
      this.next = button("▶\ufe0e", "one step forward (right arrow)", () => this.at + 1);
      this.last = button("▶\ufe0e|", "to the end (End)", () => steps.length);
      this.range = make("input", {
        type: "range", min: "0", max: String(steps.length), value: "0", "aria-label": "step",
      });
      this.range.addEventListener("input", () => this.show(Number(this.range.value)));
      this.count = make("span", { class: "yk-count" });
      const bar = make("div", { class: "yk-bar" },
        this.first, this.back, this.next, this.last, this.range, this.count);

      this.rows = listing.map(([address, text, label]) => {
        const cut = text.indexOf(" ");
        const code = make("code", {}, make("b", {}, cut < 0 ? text : text.slice(0, cut)),
          cut < 0 ? "" : text.slice(cut));
        return make("tr", {}, make("td", { class: "yk-here" }),
          make("td", { class: "yk-address" }, make("code", {}, address)), make("td", {}, code));
      });
      const body = make("tbody", {});
      listing.forEach(([, , label], n) => {
        if (label) {
          body.append(make("tr", {}, make("td", {}),
            make("td", { class: "yk-name", colspan: "2" }, make("code", {}, label + ":"))));
        }
        body.append(this.rows[n]);
      });
      const code = make("div", { class: "yk-pane yk-code" },
        make("table", { "aria-label": "instructions" }, body));

      this.cells = new Map();
      const registers = Object.keys(start).map((name) => {
        const cell = make("code", {});
        this.cells.set(name, cell);
        return make("tr", {},
          make("th", { scope: "row" }, name === "nzcv" ? "flags" : name), make("td", {}, cell));
      });
      const state = make("div", { class: "yk-pane yk-state" },
        make("table", { "aria-label": "registers" }, make("tbody", {}, ...registers)));
      const wide = [];                            // a struct: rows under both panes
      this.memoryCells = memory.map(([name, address, hex]) => {
        const cell = make("code", {});
        const rows = hex.length > 64;
        const watch = make("p", { class: rows ? "yk-watch yk-rows" : "yk-watch" },
          `${name} at ${address}: `, cell);
        if (rows) wide.push(watch);
        else state.append(watch);
        return { base: BigInt("0x" + address), hex, cell, rows };
      });

      this.said = make("p", { class: "yk-said", "aria-live": "polite" });
      const panes = make("div", { class: "yk-panes" }, code, state);
      const box = make("div", {
        class: "yk-player", tabindex: "0", role: "group",
        "data-lm-suppress-shortcuts": "true",     // arrows are ours, not JupyterLab's
        "aria-label": `${title || "recorded run"}: use the arrow keys to step`,
      }, make("p", { class: "yk-title" }, title || ""), bar, panes, ...wide, this.said);
      box.addEventListener("keydown", (event) => this.key(event));
      this.codePane = code;

      const table = this.querySelector("details");
      if (table) {
        table.open = false;
        table.querySelector("summary").textContent = "The same run as a table";
        this.insertBefore(box, table);
      } else {
        this.append(box);
      }
    }

    key(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const end = this.recording.steps.length;
      const to = {
        ArrowRight: this.at + 1, ArrowLeft: this.at - 1, Home: 0, End: end,
        PageDown: this.at + 10, PageUp: this.at - 10,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.show(to);
    }

    // The state after `step` steps is computed from the first one, so that going
    // back is exactly as true as going forward.
    show(step) {
      const { listing, start, steps, ending } = this.recording;
      this.at = Math.max(0, Math.min(steps.length, step));
      const registers = { ...start };
      const written = new Map();
      for (const [, moved = {}, writes = []] of steps.slice(0, this.at)) {
        Object.assign(registers, moved);
        for (const [address, hex] of writes) {
          const base = BigInt("0x" + address);
          for (let n = 0; n < hex.length; n += 2) {
            written.set(base + BigInt(n / 2), hex.slice(n, n + 2));
          }
        }
      }
      const done = this.at > 0 ? steps[this.at - 1] : null;
      const moved = done ? done[1] || {} : {};
      for (const [name, cell] of this.cells) {
        cell.textContent = name === "nzcv" ? flags(registers[name]) : number(registers[name]);
        cell.classList.toggle("yk-changed", name in moved);
      }
      const fresh = new Set();
      for (const [address, hex] of (done && done[2]) || []) {
        for (let n = 0; n < hex.length / 2; n += 1) fresh.add(BigInt("0x" + address) + BigInt(n));
      }
      for (const { base, hex, cell, rows } of this.memoryCells) {
        const parts = (hex.match(/../g) || []).map((before, n) => {
          const at = base + BigInt(n);
          const byte = written.get(at) ?? before;
          const row = rows && n % 16 === 0;       // begins with its offset
          const gap = row ? `${n ? "\n" : ""}${String(n).padStart(2)}  ` : n ? " " : "";
          return [gap, fresh.has(at) ? make("b", { class: "yk-changed" }, byte) : byte];
        });
        cell.replaceChildren(...parts.flat());
      }
      const next = this.at < steps.length ? steps[this.at][0] : -1;
      this.rows.forEach((row, n) => {
        row.classList.toggle("yk-next", n === next);
        row.firstChild.textContent = n === next ? "▶" : "";
        if (n === next) row.setAttribute("aria-current", "step");
        else row.removeAttribute("aria-current");
      });
      if (next >= 0) {                            // scroll the pane, never the page
        const row = this.rows[next];
        const pane = this.codePane;
        if (row.offsetTop < pane.scrollTop) pane.scrollTop = row.offsetTop;
        const under = row.offsetTop + row.offsetHeight - pane.clientHeight;
        if (under > pane.scrollTop) pane.scrollTop = under;
      }
      this.range.value = String(this.at);
      this.count.textContent = `${this.at} of ${steps.length}`;
      this.first.disabled = this.back.disabled = this.at === 0;
      this.next.disabled = this.last.disabled = this.at === steps.length;
      this.said.textContent = this.sentence(done, moved, listing, ending);
    }

    sentence(done, moved, listing, ending) {
      if (!done) return "Nothing has run yet. The arrow shows the instruction that is next.";
      const [row, , writes = [], note] = done;
      const what = Object.entries(moved).map(([name, hex]) =>
        (name === "nzcv" ? `flags = ${flags(hex)}` : `${name} = ${number(hex)}`));
      for (const [address, hex] of writes) {
        what.push(`[${address}] = ${(hex.match(/../g) || []).join(" ")}`);
      }
      if (note) what.push(note);
      const end = this.at === this.recording.steps.length && ending ? ` ${ending}` : "";
      return `${listing[row][1]}: ${what.join(", ") || "nothing changed but pc"}.${end}`;
    }
  }

  customElements.define("yk-trace", Player);
})();
