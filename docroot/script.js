// The form on the first page: send a request, show what came back.
"use strict";

const form = document.getElementById("request");
const reply = document.getElementById("reply");
const SHOWN = 64; // bytes of the body

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function hexdump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "."));
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(47)}  ${text.join("")}`);
  }
  return lines.join("\n");
}

function show(method, path, answer, body, milliseconds) {
  const good = answer.status < 400;
  const mark = good ? "✓" : "✗";
  const nodes = [
    element("p", "hint", `${method} ${path}`),
    element("p", `status ${good ? "good" : "bad"}`,
      `${mark} ${answer.status} ${answer.statusText} (${milliseconds.toFixed(1)} ms)`),
  ];
  const table = element("table");
  for (const [name, value] of [...answer.headers].sort()) {
    const row = table.insertRow();
    row.append(element("th", "", name), element("td", "", value));
  }
  nodes.push(table);
  if (body.length > 0) {
    const rest = body.length > SHOWN ? `\n… ${body.length} bytes in all` : "";
    nodes.push(element("pre", "", hexdump(body.subarray(0, SHOWN)) + rest));
  }
  reply.replaceChildren(...nodes);
}

async function send(method, path) {
  const started = performance.now();
  try {
    const answer = await fetch(path, { method, cache: "no-store", redirect: "manual" });
    const body = new Uint8Array(await answer.arrayBuffer());
    show(method, path, answer, body, performance.now() - started);
  } catch (error) {
    reply.replaceChildren(element("p", "status bad", `✗ no reply: ${error.message}`));
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const path = form.elements.path.value.trim();
  send(form.elements.method.value, path.startsWith("/") ? path : `/${path}`);
});

send("HEAD", "/index.html");
