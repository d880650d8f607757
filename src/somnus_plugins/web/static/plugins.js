// The first page: asks the API what there is, shows it, and calls tools. No framework, no other host.
// Everything a plugin says is put in as text; the page's policy would not run it anyway.

const { prefix, api, signsIn } = document.body.dataset;
const POLL_MS = 2500;
const STATES = { running: "is-running", asleep: "is-asleep", "needs you": "is-needs-you", failed: "is-failed", off: "is-off" };
const $ = (id) => document.getElementById(id);

/** An element: `el("p.about", { title: "…" }, "text", child)`. */
function el(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((each) => each !== null && each !== undefined));
  return made;
}

// --- the API -------------------------------------------------------------------------------------------------------

class Problem extends Error {
  constructor(record, status) {
    super(record.detail || record.message || record.title || `The server answered with status ${status}.`);
    this.status = status;
    this.code = record.code || "";
    this.remedy = record.remedy || "";
  }
}

async function ask(method, url, { body, accept = "application/json", signal } = {}) {
  const headers = { Accept: accept, "X-Somnus-CSRF": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, {
    method, headers, signal, credentials: "same-origin", cache: "no-store",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Problem(await answer.json().catch(() => ({})), answer.status);
  return answer;
}

const get = async (path) => (await ask("GET", api + path)).json();
const post = async (path, body) => (await ask("POST", api + path, { body })).json();
const pluginPath = (view, rest = "") => `/plugins/${view.mount || view.id}${rest}`;

function alertWith(error) {
  const box = $("alert");
  box.hidden = !error;
  box.textContent = error ? [error.message, error.remedy].filter(Boolean).join(" ") : "";
}

// --- forms from schemas --------------------------------------------------------------------------------------------

/** A schema without references and without "or nothing". */
function resolved(schema, root) {
  let found = schema || {};
  for (let step = 0; step < 8 && typeof found.$ref === "string"; step++) {
    const { $ref, ...beside } = found;
    const target = $ref.slice(2).split("/").reduce((node, key) => (node || {})[key], root);
    found = { ...(target || {}), ...beside };
  }
  const options = found.anyOf || found.oneOf;
  if (options) {
    const real = options.filter((each) => each.type !== "null");
    if (real.length === 1) return { ...resolved(real[0], root), ...without(found, "anyOf", "oneOf"), optional: true };
  }
  return found;
}

function without(record, ...keys) {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}

function typeWords(schema, root) {
  if (schema.const !== undefined) return "fixed";
  if (schema.enum) return "one of";
  if (schema.type === "array") return `list of ${typeWords(resolved(schema.items, root), root)}`;
  const words = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || (schema.anyOf ? "several kinds" : "any");
  return schema.format ? `${words}, ${schema.format}` : words;
}

function limits(schema) {
  const { minimum: low, maximum: high, minLength: least = 0, maxLength: most } = schema;
  const words = [];
  if (low !== undefined && high !== undefined) words.push(`${low} to ${high}`);
  else if (low !== undefined) words.push(`at least ${low}`);
  else if (high !== undefined) words.push(`at most ${high}`);
  if (schema.exclusiveMinimum !== undefined) words.push(`above ${schema.exclusiveMinimum}`);
  if (schema.exclusiveMaximum !== undefined) words.push(`below ${schema.exclusiveMaximum}`);
  if (least > 1) words.push(`at least ${least} characters`);
  if (most !== undefined) words.push(`at most ${most} characters`);
  if (schema.pattern) words.push(`fits ${schema.pattern}`);
  return words.join(", ");
}

/** Text as its author wrote it in a docstring: paragraphs, and code between backticks. */
function prose(text) {
  return text.trim().split(/\n\s*\n/).map((paragraph) => el("p", {}, ...paragraph.replace(/\s*\n\s*/g, " ").split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part))));
}

const INPUT_TYPES = { date: "date", time: "time", "date-time": "datetime-local", email: "email", uri: "url", url: "url", password: "password" };

/** What a JSON textarea starts with: the keys that must be there. */
function skeleton(schema, root, depth = 0) {
  const found = resolved(schema, root);
  if (found.default !== undefined) return found.default;
  if (found.type === "array" || depth > 4) return found.type === "array" ? [] : {};
  if (found.type !== "object") return { string: "", integer: 0, number: 0, boolean: false }[found.type] ?? null;
  const names = found.required || Object.keys(found.properties || {});
  return Object.fromEntries(names.map((name) => [name, skeleton((found.properties || {})[name], root, depth + 1)]));
}

function choice(id, values, chosen, required) {
  const select = el("select", { id, required });
  if (!required || chosen === undefined) select.append(el("option", { value: "" }, required ? "Choose…" : "not set"));
  values.forEach((value, index) => {
    select.append(el("option", { value: index, selected: value === chosen }, typeof value === "string" ? value : JSON.stringify(value)));
  });
  return { control: select, read: () => (select.value === "" ? undefined : values[Number(select.value)]) };
}

function textArea(id, start, required, read, attributes = {}) {
  const area = el("textarea", { id, required, spellcheck: "false", ...attributes });
  area.value = start;
  const checked = () => {
    if (area.value.trim() === "") return undefined;
    try {
      return read(area.value);
    } catch (error) {
      area.setCustomValidity(`This is not JSON: ${error.message}`);
      throw error;
    }
  };
  area.addEventListener("input", () => area.setCustomValidity(""));
  return { control: area, read: checked, broad: true };
}

const LINES = { string: (line) => line, integer: Number, number: Number };

function widget(id, schema, root, required) {
  const start = schema.default;
  if (schema.const !== undefined) return choice(id, [schema.const], schema.const, true);
  if (schema.enum) return choice(id, schema.enum, start, required && start === undefined);
  if (schema.type === "boolean") {
    if ((start ?? null) === null && !required) return choice(id, [true, false], undefined, false);
    const box = el("input", { id, type: "checkbox", checked: start === true });
    return { control: box, read: () => box.checked, check: true };
  }
  if (schema.type === "integer" || schema.type === "number") {
    const input = el("input", {
      id, type: "number", required: required && start === undefined, value: start ?? "", inputmode: "decimal",
      min: schema.minimum, max: schema.maximum, step: schema.multipleOf ?? (schema.type === "integer" ? 1 : "any"),
    });
    return { control: input, read: () => (input.value === "" ? undefined : Number(input.value)) };
  }
  if (schema.type === "string") {
    if (schema.contentMediaType || (schema.maxLength || 0) > 1000) {
      return textArea(id, start ?? "", required, (text) => text, { minlength: schema.minLength, maxlength: schema.maxLength });
    }
    const type = INPUT_TYPES[schema.format] || "text";
    const input = el("input", {
      id, type, required: required && start === undefined, value: start ?? "", minlength: schema.minLength, maxlength: schema.maxLength,
      step: type === "time" || type === "datetime-local" ? "any" : undefined, autocomplete: "off", spellcheck: "false",
    });
    const read = () => (type === "datetime-local" ? new Date(input.value).toISOString() : input.value);
    return { control: input, read: () => (input.value === "" && !(required && type === "text") ? undefined : read()) };
  }
  const items = schema.type === "array" ? resolved(schema.items, root) : {};
  if (LINES[items.type] && !items.enum) {
    const shown = Array.isArray(start) ? start.join("\n") : "";
    const read = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean).map(LINES[items.type]);
    return { ...textArea(id, shown, required, read, { placeholder: "one on each line" }), hint: "One on each line." };
  }
  const shown = start !== undefined && start !== null ? start : required ? skeleton(schema, root) : undefined;
  const made = textArea(id, shown === undefined ? "" : JSON.stringify(shown, null, 2), required, JSON.parse, { placeholder: "JSON" });
  made.control.classList.add("code");
  return { ...made, hint: "As JSON." };
}

let fieldNumber = 0;

function field(name, given, root, required) {
  const schema = resolved(given, root);
  const id = `field-${++fieldNumber}`;
  const made = widget(id, schema, root, required);
  const hint = [schema.description, made.hint, limits(schema)].filter(Boolean).map((each) => each[0].toUpperCase() + each.slice(1)).join(" · ");
  if (hint) made.control.setAttribute("aria-describedby", `${id}-hint`);
  const label = el("label", { for: id }, name, required ? el("span.needed", { "aria-hidden": "true" }, "*") : null, " ", el("span.type", {}, typeWords(schema, root)));
  const control = made.check ? el("span.check", {}, made.control, "yes") : made.control;
  const box = el(made.broad ? "div.field.broad" : "div.field", {}, label, control, hint ? el("span.hint", { id: `${id}-hint` }, hint) : null);
  return { name, box, read: made.read, weight: (required ? 0 : 2) + (made.broad ? 1 : 0) };
}

// --- results -------------------------------------------------------------------------------------------------------

function scalar(value) {
  if (value === null) return el("span.null", {}, "null");
  if (typeof value === "string") return el("span.string", {}, value === "" ? '""' : value);
  return el(`span.${typeof value}`, {}, String(value));
}

function tree(value, key = "", depth = 0) {
  const name = key === "" ? "" : el("span.key", {}, `${key}: `);
  if (value === null || typeof value !== "object") return el("div", {}, name, scalar(value));
  const entries = Object.entries(value);
  const count = Array.isArray(value) ? `${entries.length} ${entries.length === 1 ? "item" : "items"}` : `${entries.length} ${entries.length === 1 ? "key" : "keys"}`;
  if (!entries.length) return el("div", {}, name, el("span.null", {}, Array.isArray(value) ? "[]" : "{}"));
  return el("details", { open: depth < 2 }, el("summary", {}, name, el("span.count", {}, count)), ...entries.map(([each, inner]) => tree(inner, each, depth + 1)));
}

const isFlat = (row) => row !== null && typeof row === "object" && !Array.isArray(row) && Object.values(row).every((each) => each === null || typeof each !== "object");

const number = (value) => (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4))));
const words = (value) => (value === undefined || value === null ? "" : typeof value === "number" ? number(value) : String(value));

/** Short records read best as a table, long ones as one block each, a text as text, everything else as a tree. */
function shown(value) {
  if (typeof value === "string") return el("p.text", {}, value);
  if (isFlat(value) && Object.keys(value).length) return record(value);
  if (Array.isArray(value) && value.length && value.every(isFlat)) {
    const columns = [...new Set(value.flatMap(Object.keys))];
    if (columns.length && columns.length <= 8) {
      if (value.some((row) => Object.values(row).join("").length > 90)) return el("div.records", {}, ...value.map(record));
      const cell = (each) => el(typeof each === "number" ? "td.number" : "td", {}, words(each));
      return el("div.scroll", {}, el("table", {},
        el("thead", {}, el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, ...value.map((row) => el("tr", {}, ...columns.map((name) => cell(row[name])))))));
    }
  }
  return el("div.tree", {}, tree(value));
}

function record(row) {
  return el("dl.record", {}, ...Object.entries(row).flatMap(([key, each]) => [el("dt", {}, key), el("dd", {}, words(each))]));
}

/** Reads `text/event-stream` as it comes. */
async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = Object.fromEntries(block.split("\n").filter((line) => line.includes(": ")).map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]));
      if (lines.event) yield [lines.event, JSON.parse(lines.data)];
    }
  }
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// --- one tool ------------------------------------------------------------------------------------------------------

class ToolForm {
  constructor(view, tool) {
    this.url = `${prefix}/${view.mount}/tools/${tool.name}`;
    this.tool = tool;
    const schema = tool.input_schema || {};
    const required = new Set(schema.required || []);
    this.fields = Object.entries(schema.properties || {}).map(([name, each]) => field(name, each, schema, required.has(name)));
    this.fields.sort((one, other) => one.weight - other.weight);
    this.running = null;
    this.moving = el("div.moving", { hidden: true, role: "status" });
    this.output = el("div", { "aria-live": "polite" });
    this.run = el("button.primary", { type: "submit" }, "Run");
    this.stop = el("button", { type: "button", hidden: true, onclick: () => this.running?.abort() }, "Cancel");
    this.took = el("span.took", { role: "status" });
    this.curl = el("div.curl", { hidden: true });
    const curlButton = el("button.quiet", { type: "button", "aria-expanded": "false", onclick: () => this.showCurl(curlButton) }, "As curl");
    const form = el("form", { onsubmit: (event) => this.submit(event), oninput: () => this.curl.hidden || this.writeCurl() },
      this.fields.length ? el("div.fields", {}, ...this.fields.map((each) => each.box)) : null,
      el("div.acts", {}, this.run, this.stop, curlButton, this.took));
    this.inside = el("div.inside", {}, form, this.curl, this.moving, this.output);
    const flags = [tool.title, tool.streams && "streams", tool.read_only && "only reads", tool.kind && tool.kind !== "tool" && tool.kind].filter(Boolean);
    this.element = el("details.tool", {},
      el("summary", {}, el("span", {}, el("span.name", {}, tool.name), ...flags.map((flag) => el("span.flag", {}, flag))), el("span.says", {}, ...prose(tool.description || "No description."))),
      this.inside);
  }

  input() {
    const read = this.fields.map(({ name, read: value }) => [name, value()]);
    return Object.fromEntries(read.filter(([, value]) => value !== undefined));
  }

  async submit(event) {
    event.preventDefault();
    let input;
    try {
      input = this.input();
    } catch {
      event.target.reportValidity();
      return;
    }
    const start = performance.now();
    this.begin();
    try {
      const answer = await ask("POST", this.url, { body: input, accept: "text/event-stream", signal: this.running.signal });
      await this.follow(answer);
    } catch (error) {
      if (error.name === "AbortError") this.took.textContent = "cancelled";
      else this.fail(error);
      if (error.status === 401) refresh();
    } finally {
      this.end(performance.now() - start);
    }
  }

  begin() {
    this.running = new AbortController();
    this.run.disabled = true;
    this.stop.hidden = false;
    this.took.textContent = "";
    this.output.replaceChildren();
    this.moving.replaceChildren(el("progress", { "aria-label": "Progress" }), el("span", {}, "waiting for the plugin…"));
    this.moving.hidden = false;
  }

  end(elapsed) {
    this.running = null;
    this.run.disabled = false;
    this.stop.hidden = true;
    this.moving.hidden = true;
    this.took.textContent ||= elapsed < 1000 ? `${Math.round(elapsed)} ms` : `${(elapsed / 1000).toFixed(1)} s`;
  }

  async follow(answer) {
    const items = [];
    let live = null;
    for await (const [kind, value] of events(answer)) {
      if (kind === "progress") this.progress(value);
      else if (kind === "error") throw new Problem(value, 200);
      else if (kind === "item") {
        items.push(value);
        live ??= this.panel("", el("div"));
        live.title.textContent = `${items.length} ${items.length === 1 ? "item" : "items"} so far`;
        live.body.append(shown(value));
        live.body.scrollTop = live.body.scrollHeight;
      } else if (kind === "result") {
        const whole = this.tool.streams ? items : value;
        if (this.tool.streams && items.some((each) => typeof each === "string") && live) live.title.textContent = `${items.length} items`;
        else this.panel(this.tool.streams ? `${items.length} items` : "Result", shown(whole), whole);
      }
    }
  }

  progress({ done, total, message }) {
    const [bar, words] = this.moving.children;
    if (total) {
      bar.max = total;
      bar.value = done;
    }
    words.textContent = [total ? `${done} of ${total}` : done || "", message].filter(Boolean).join(" · ");
  }

  panel(title, content, raw) {
    const body = el("div.body", { tabindex: "0", role: "group", "aria-label": "Result" }, content);
    const heading = el("span", {}, title);
    const toggle = el("button.quiet", { type: "button", "aria-pressed": "false" }, "JSON");
    toggle.addEventListener("click", () => {
      const json = toggle.getAttribute("aria-pressed") === "false";
      toggle.setAttribute("aria-pressed", json);
      toggle.textContent = json ? "Readable" : "JSON";
      body.replaceChildren(json ? el("pre", {}, JSON.stringify(raw, null, 2)) : content);
    });
    this.output.replaceChildren(el("div.result", {}, el("header", {}, heading, raw === undefined ? null : toggle), body));
    return { title: heading, body };
  }

  fail(error) {
    const body = el("div.body", {}, el("p", {}, error.message), error.remedy ? el("p.remedy", {}, error.remedy) : null);
    this.output.append(el("div.result.failed", { role: "alert" }, el("header", {}, el("span", {}, error.code || "failed")), body));
  }

  showCurl(button) {
    this.curl.hidden = !this.curl.hidden;
    button.setAttribute("aria-expanded", !this.curl.hidden);
    if (!this.curl.hidden) this.writeCurl();
  }

  writeCurl() {
    let input = {};
    try {
      input = this.input();
    } catch {
      // Half-typed JSON: the command shows an empty object until it is whole.
    }
    const login = signsIn === "token" ? ` \\\n  -H "Authorization: Bearer $(cat ${quoted(tokenFile)})"` : "";
    const text = `curl ${quoted(location.origin + this.url)}${login} \\\n  --json ${quoted(JSON.stringify(input))}`;
    const copy = el("button", { type: "button", onclick: async () => {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } }, "Copy");
    this.curl.replaceChildren(el("pre", {}, el("code", {}, text)), el("div.acts", {}, copy));
  }
}

// --- one plugin ----------------------------------------------------------------------------------------------------

let tokenFile = "trust/token";
let cardNumber = 0;

class Card {
  constructor() {
    this.number = ++cardNumber;
    this.seen = "";
    this.loaded = null;
    this.chosen = "tools";
    this.name = el("span");
    this.state = el("span.state", { role: "status" });
    this.about = el("p.about");
    this.reason = el("p.reason");
    this.badges = el("ul.badges", { "aria-label": "What it is" });
    this.toggle = el("button.switch", { type: "button", role: "switch", onclick: () => this.flip() });
    this.tabs = el("div.tabs", { role: "tablist", onkeydown: (event) => this.step(event) });
    this.pane = el("div.pane", { role: "tabpanel", id: `pane-${this.number}` });
    const title = el("h2", { id: `card-${this.number}` }, this.name, this.state);
    this.element = el("article.card", { "aria-labelledby": `card-${this.number}` },
      el("header", {}, title, this.toggle, this.about, this.reason, this.badges), this.tabs, this.pane);
  }

  update(view) {
    this.view = view;
    const seen = JSON.stringify(view);
    if (seen === this.seen) return;
    this.seen = seen;
    this.element.className = `card ${STATES[view.word] || "is-off"}`;
    this.name.textContent = view.mount || view.id;
    this.state.textContent = view.word;
    this.state.title = view.state;
    this.about.textContent = view.description;
    this.reason.textContent = ["running", "asleep"].includes(view.word) || view.reason === "disabled" ? "" : view.reason;
    this.reason.hidden = !this.reason.textContent;
    const badge = (text, title, danger = false) => el(danger ? "li.danger" : "li", { title }, text);
    this.badges.replaceChildren(
      badge(`confinement: ${view.sandbox_level}`, "What holds the plugin back besides its own process", view.sandbox_level === "none"),
      badge(view.id, "Its id"), badge(`version ${view.version}`, "Its version"),
      view.ring === view.trust ? badge(`${view.ring}, not signed`, "A directory of this machine that nobody has signed") : badge(`${view.ring}, ${view.trust}`, "Where it comes from, and the status of its signature"),
      ...view.tags.map((tag) => badge(`#${tag}`, "Tag")));
    const enabled = view.desired === "enabled";
    this.toggle.setAttribute("aria-checked", enabled);
    this.toggle.setAttribute("aria-label", `Serve ${view.mount || view.id}`);
    this.toggle.textContent = enabled ? "on" : "off";
    this.toggle.hidden = !view.mount;
    this.drawTabs();
    if (this.drawnFor !== view.word) this.draw();
    this.load();
  }

  async flip() {
    this.toggle.disabled = true;
    try {
      this.update(await post(pluginPath(this.view, this.view.desired === "enabled" ? "/disable" : "/enable")));
      alertWith(null);
    } catch (error) {
      alertWith(error);
    } finally {
      this.toggle.disabled = false;
    }
  }

  drawTabs() {
    const counts = { tools: this.view.tools.length, routes: this.view.routes, log: "" };
    if (!this.tabs.children.length) {
      for (const name of Object.keys(counts)) {
        const tab = el("button", { type: "button", role: "tab", id: `tab-${this.number}-${name}`, "aria-controls": `pane-${this.number}`, onclick: () => this.choose(name) },
          name[0].toUpperCase() + name.slice(1), " ", el("span.count"));
        tab.dataset.name = name;
        this.tabs.append(tab);
      }
    }
    for (const tab of this.tabs.children) {
      const chosen = tab.dataset.name === this.chosen;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
      tab.lastChild.textContent = counts[tab.dataset.name];
    }
    this.pane.setAttribute("aria-labelledby", `tab-${this.number}-${this.chosen}`);
    this.tabs.hidden = this.pane.hidden = !this.view.mount;
  }

  step(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    const all = [...this.tabs.children];
    const next = all[(all.findIndex((tab) => tab.dataset.name === this.chosen) + move + all.length) % all.length];
    this.choose(next.dataset.name);
    next.focus();
  }

  choose(name) {
    this.chosen = name;
    this.drawTabs();
    this.draw();
  }

  /** What it adds changes with its generation only; a form that somebody fills in is left alone until then. */
  async load() {
    const { mount, generation, version } = this.view;
    const wanted = `${mount} ${generation} ${version}`;
    if (!mount || this.loaded === wanted) return;
    this.loaded = wanted;
    try {
      this.detail = await get(pluginPath(this.view));
      const tools = this.detail.contributions.tools || [];
      this.forms = tools.map((tool) => new ToolForm(this.view, tool).element);
      this.draw();
    } catch (error) {
      this.loaded = null;
      if (error.status !== 401) alertWith(error);
    }
  }

  draw() {
    if (!this.detail) return;
    this.drawnFor = this.view.word;
    if (this.chosen === "log") this.drawLog();
    else if (this.chosen === "routes") this.drawRoutes();
    else if (!this.forms.length) this.pane.replaceChildren(el("p.none", {}, "It adds no tools."));
    else if (this.view.word === "off") this.pane.replaceChildren(el("p.none", {}, "Switched off. Its tools are back as soon as it is on."));
    else this.pane.replaceChildren(...this.forms);
  }

  drawRoutes() {
    const routes = this.detail.contributions.routes || [];
    const lines = routes.map((route) => el("li", {}, ...(route.websocket ? ["WS"] : route.methods || []).map((method) => el(`span.method.${method.toLowerCase()}`, {}, method)),
      (route.methods || []).includes("GET") && !route.path.includes("{")
        ? el("a", { href: `${prefix}/${this.view.mount}${route.path}` }, el("code", {}, `${prefix}/${this.view.mount}${route.path}`))
        : el("code", {}, `${prefix}/${this.view.mount}${route.path}`)));
    this.pane.replaceChildren(lines.length ? el("ul.routes", {}, ...lines) : el("p.none", {}, "It adds no routes."));
  }

  async drawLog() {
    let lines;
    try {
      lines = await get(pluginPath(this.view, "/logs?count=200"));
    } catch {
      return;
    }
    if (this.chosen !== "log") return;
    const seen = JSON.stringify(lines);
    const before = this.pane.querySelector(".log");
    if (before && this.logSeen === seen) return;
    this.logSeen = seen;
    const atEnd = !before || before.scrollHeight - before.scrollTop - before.clientHeight < 40;
    const list = el("ol.log", { tabindex: "0", "aria-label": "Log" }, ...lines.map((line) => {
      const time = new Date(line.time_s * 1000);
      return el(`li.${(line.level || "info").toLowerCase()}`, {}, el("time", { datetime: time.toISOString() }, time.toLocaleTimeString()),
        el("span.stream", {}, line.level || line.stream), el("span.message", {}, line.message));
    }));
    this.pane.replaceChildren(lines.length ? list : el("p.none", {}, "It has said nothing yet."));
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}

// --- the page ------------------------------------------------------------------------------------------------------

const cards = new Map();

function show(views, status) {
  tokenFile = `${status.home}/trust/token`;
  const running = views.filter((view) => view.word === "running").length;
  $("host").textContent = `${views.length} ${views.length === 1 ? "plugin" : "plugins"}, ${running} running`;
  $("host").title = status.home;
  $("unconfined").hidden = status.sandbox_level !== "none" || !views.length;
  const gone = new Set(cards.keys());
  for (const view of views) {
    gone.delete(view.id);
    if (!cards.has(view.id)) {
      const card = new Card();
      cards.set(view.id, card);
      $("plugins").append(card.element);
    }
    const card = cards.get(view.id);
    card.update(view);
    if (card.chosen === "log") card.drawLog();
  }
  for (const id of gone) {
    cards.get(id).element.remove();
    cards.delete(id);
  }
  $("plugins").hidden = !views.length;
  $("empty").hidden = views.length > 0;
}

function signedIn(yes) {
  $("sign-in").hidden = yes;
  $("sign-out").hidden = !yes || signsIn !== "token";
  if (yes) return;
  $("plugins").hidden = $("empty").hidden = $("unconfined").hidden = true;
  $("host").textContent = "";
  cards.clear();
  $("plugins").replaceChildren();
}

let timer;
let lost = false;

async function refresh() {
  clearTimeout(timer);
  try {
    const [views, status] = await Promise.all([get("/plugins"), get("/status")]);
    signedIn(true);
    show(views, status);
    if (lost) alertWith(null);
    lost = false;
  } catch (error) {
    if (error.status === 401 || error.status === 403) {
      const first = $("sign-in").hidden;
      signedIn(false);
      if (first) $("token")?.focus();
      return;
    }
    lost = true;
    alertWith(error instanceof Problem ? error : new Error("The server does not answer; trying again."));
  }
  if (document.visibilityState === "visible") timer = setTimeout(refresh, POLL_MS);
}

async function signIn(token) {
  await ask("POST", `${api}/session`, { body: { token } });
}

$("sign-in-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await signIn($("token").value);
    $("token").value = $("sign-in-problem").textContent = "";
    await refresh();
  } catch (error) {
    $("sign-in-problem").textContent = error.message;
  }
});

$("sign-out").addEventListener("click", async () => {
  await ask("DELETE", `${api}/session`).catch(alertWith);
  await refresh();
});

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
});

// The address that `serve` prints carries the token behind `#`. It is used once and taken out of the address at once.
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  history.replaceState(null, "", location.pathname + location.search);
  await signIn(fragment.get("token")).catch((error) => {
    $("sign-in-problem").textContent = error.message;
  });
}
await refresh();
