"use strict";
(() => {
// Everything here adds to a page that can be read without it: sorting, filters, columns, downloads.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, props = {}, ...children) => {
const element = Object.assign(document.createElement(tag), props);
element.append(...children);
return element;
};
const textOf = (cell) => (cell ? cell.textContent.trim() : "");

// A number as the page writes it: .655, +.021*, −.003 [−.010, +.004], < 1 %, 3.4min, 1,024, "same" (0); null for words.
const UNITS = { s: 1, min: 60, h: 3600 };
const valueOf = (text) => {
if (text === "same") return 0;
const found = /^([<>] )?([+−±-]?)([\d,]*\.?\d+)(s|min|h)?(?![\w-])/.exec(text);
if (!found) return null;
// "< 1 %" is less than "1 %", and "> 99 %" more than "99 %".
const beside = found[1] ? (found[1] === "< " ? -0.5 : 0.5) : 0;
const size = Number(found[3].replaceAll(",", "")) * (UNITS[found[4]] || 1) + beside;
return found[2] === "−" || found[2] === "-" ? -size : size;
};

const sortBy = (table, index) => {
const heads = all("thead th", table);
const head = heads[index];
const body = table.tBodies[0];
const rows = [...body.rows].map((row) => ({ row, text: textOf(row.cells[index]) }));
for (const item of rows) item.value = valueOf(item.text);
const numeric = rows.some((item) => item.value !== null) && index > 0;
// Numbers start with the largest, words with the first letter; what is missing stays at the end.
const before = head.getAttribute("aria-sort");
const down = before ? before === "ascending" : numeric;
const sign = down ? -1 : 1;
const missing = (item) => (numeric ? item.value === null : item.text === "" || item.text === "–");
rows.sort((a, b) => missing(a) - missing(b)
|| (missing(a) ? 0 : sign * (numeric ? a.value - b.value : a.text.localeCompare(b.text, "en", { numeric: true }))));
body.append(...rows.map((item) => item.row));
for (const other of heads) other.removeAttribute("aria-sort");
head.setAttribute("aria-sort", down ? "descending" : "ascending");
};

const save = (name, type, text) => {
const url = URL.createObjectURL(new Blob([text], { type }));
const link = make("a", { href: url, download: name });
document.body.append(link);
link.click();
link.remove();
setTimeout(() => URL.revokeObjectURL(url), 10000);
};
// A cell that a spreadsheet would run as a formula gets an apostrophe, except for numbers.
const quoted = (value) => {
let text = value === null || value === undefined ? "" : String(value);
if (/^[=+@\t\r-]/.test(text) && typeof value !== "number" && valueOf(text) === null) text = "'" + text;
return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csv = (rows) => rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
const asCsv = (table) => {
const shown = [...table.rows].filter((row) => !row.hidden);
return csv(shown.map((row) => [...row.cells].filter((cell) => !cell.hidden).map(textOf)));
};

// The second column of a table with a menu holds the groups of a row: the stages of a strategy, for example.
const groupsOf = (row) => textOf(row.cells[1]).split(", ").filter((name) => name !== "–");
const filtered = (table, words, group, status) => {
const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
const rows = [...table.tBodies[0].rows];
let shown = 0;
for (const row of rows) {
const text = row.textContent.toLowerCase();
const inGroup = !group || groupsOf(row).includes(group);
row.hidden = !(inGroup && parts.every((part) => text.includes(part)));
shown += !row.hidden;
}
status.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
};

// Made when it is opened: a page of a hundred tables has four hundred of them.
const columns = (table) => {
const box = make("fieldset", {}, make("legend", { textContent: "Columns shown" }));
const part = make("details", {}, make("summary", { textContent: "Columns" }), box);
const fill = () => all("thead th", table).forEach((head, index) => {
if (index === 0) return;
const input = make("input", { type: "checkbox", checked: true });
input.addEventListener("change", () => {
for (const row of table.rows) if (row.cells[index]) row.cells[index].hidden = !input.checked;
});
box.append(make("label", {}, input, ` ${textOf(head)}`));
});
part.addEventListener("toggle", fill, { once: true });
return part;
};

const tools = (table) => {
const bar = make("div", { className: "tools" });
const status = make("span", { className: "q", role: "status" });
const words = make("input", { type: "search", placeholder: "words in a row" });
bar.append(make("label", {}, "Filter ", words));
const select = make("select");
const update = () => filtered(table, words.value, select.value, status);
words.addEventListener("input", update);
const groups = table.dataset.filter ? [...new Set([...table.tBodies[0].rows].flatMap(groupsOf))] : [];
if (groups.length > 1) {
select.append(make("option", { value: "", textContent: "all" }), ...groups.map((name) => make("option", { textContent: name })));
select.addEventListener("change", update);
bar.append(make("label", {}, `${table.dataset.filter} `, select));
}
const button = make("button", { type: "button", textContent: "CSV" });
button.setAttribute("aria-label", `Save as CSV: ${textOf(table.caption)}`);
button.addEventListener("click", () => save(`${table.id}.csv`, "text/csv", asCsv(table)));
bar.append(columns(table), button, status);
table.parentElement.before(bar);
status.textContent = `${table.tBodies[0].rows.length} rows`;
};

const ready = (table) => {
if (table.dataset.ready) return;
table.dataset.ready = "yes";
const first = table.tBodies[0].rows[0];
all("thead th", table).forEach((head, index) => {
const button = make("button", { type: "button", textContent: textOf(head) });
button.addEventListener("click", () => sortBy(table, index));
head.replaceChildren(button);
if (first && first.cells[index] && first.cells[index].classList.contains("w")) head.classList.add("w");
});
if (table.tBodies[0].rows.length > 3) tools(table);
};
// Tables in folded sections wait until they are opened, so that a large page is ready at once.
const readyIn = (root) => {
for (const table of all("table", root)) if (!table.closest("details:not([open])")) ready(table);
};
readyIn(document);
for (const section of all("main details")) section.addEventListener("toggle", () => section.open && readyIn(section));

// A link into a folded section opens it.
const openTarget = () => {
const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
const section = target && target.closest("details");
if (section && !section.open) {
section.open = true;
target.scrollIntoView();
}
};
addEventListener("hashchange", openTarget);
openTarget();

// One matrix at a time, with a menu to choose the measure.
const choices = all("[data-choice]");
if (choices.length > 1) {
const select = make("select");
choices.forEach((part, index) => select.append(make("option", { value: index, textContent: part.dataset.choice })));
const show = () => choices.forEach((part, index) => { part.hidden = index !== Number(select.value); });
select.addEventListener("change", show);
choices[0].before(make("p", {}, make("label", {}, "Measure ", select)));
show();
}

for (const box of all(".tools-all")) box.hidden = false;
for (const button of all("[data-all]")) {
button.addEventListener("click", () => {
for (const section of all("details.block")) section.open = button.dataset.all === "open";
});
}
const data = () => JSON.parse(document.getElementById("data").textContent);
for (const button of all("[data-download]")) {
button.addEventListener("click", () => {
const { table_columns: about, columns, tables } = data();
const names = [...about, ...columns];
const rows = tables.flatMap((part) => part.rows.map((row) => [...part.table, ...row]));
if (button.dataset.download === "csv") return save("equipoise.csv", "text/csv", csv([names, ...rows]));
const records = rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
return save("equipoise.json", "application/json", JSON.stringify(records, null, 1));
});
}

// Paper cannot be unfolded: a page of few tables is printed in full, a large one as it is shown.
let unfolded = [];
addEventListener("beforeprint", () => {
const sections = all("main details:not(.tools details)");
unfolded = all("details.block").length > 6 ? [] : sections.filter((section) => !section.open);
for (const section of unfolded) section.open = true;
});
addEventListener("afterprint", () => {
for (const section of unfolded) section.open = false;
});
})();
