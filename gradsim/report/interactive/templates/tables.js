// Tables that sort by the buttons of their heads, filter, and copy as CSV.

function node(name, properties = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const translated = new Set(["kind", "phase"]); // columns whose values are words of the page
const plain = (value) => (value === null || value === undefined ? "" : String(value));
function seen(value, name) {
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  if (typeof value === "number" && !Number.isInteger(value)) return short(value);
  return (translated.has(name) && report.words[value]) || plain(value) || say("none");
}

function csvCell(value) {
  let text = plain(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text; // a spreadsheet would run it
  return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = node("textarea", { value: text, readOnly: true });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function compare(one, other) {
  if (one === null || other === null) return (one === null) - (other === null);
  return typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));
}

// columns: [{ name, label, text, wide }]; choose: what a click on the number of a row's cell does, if anything.
function makeTable(place, titleId, columns, rows, choose) {
  const order = { name: null, down: false };
  const filter = node("input", { type: "search", size: 18 });
  const count = node("span", { role: "status" });
  const button = node("button", { type: "button", textContent: say("copy") });
  const body = node("tbody");
  const heads = columns.map(({ name, label, text }) =>
    node("th", { scope: "col", className: text ? "" : "number" }, [
      node("button", { type: "button", textContent: label, onclick: () => sortBy(name) }),
    ]),
  );
  const wholes = rows.map((row) => columns.map(({ name }) => seen(row[name], name)).join(" ").toLowerCase());

  const matching = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((_, i) => words.every((word) => wholes[i].includes(word)));
    if (order.name === null) return found;
    const sorted = found.toSorted((one, other) => {
      const [a, b] = [one[order.name], other[order.name]];
      return a === null || b === null ? compare(a, b) : order.down ? compare(b, a) : compare(a, b);
    });
    return sorted;
  };

  const made = new Map();
  function lineOf(row) {
    if (!made.has(row)) {
      const line = columns.map(({ name, text, wide }) => {
        const cell = node("td", { className: wide ? "text wide" : text ? "text" : "number" });
        if (choose && name === "cell") {
          const act = { type: "button", textContent: String(row.cell), onclick: () => choose(row) };
          cell.append(node("button", act));
        } else cell.textContent = seen(row[name], name);
        return cell;
      });
      made.set(row, node("tr", {}, line));
    }
    return made.get(row);
  }

  function show() {
    const found = matching();
    body.replaceChildren(...found.map(lineOf));
    count.textContent = say("rows", { shown: found.length, rows: rows.length });
  }

  function sortBy(name) {
    order.down = order.name === name && !order.down;
    order.name = name;
    columns.forEach((column, i) =>
      column.name === name
        ? heads[i].setAttribute("aria-sort", order.down ? "descending" : "ascending")
        : heads[i].removeAttribute("aria-sort"),
    );
    show();
  }

  button.onclick = async () => {
    const found = matching();
    const lines = [columns.map(({ name }) => name), ...found.map((row) => columns.map(({ name }) => row[name]))];
    const done = await copy(lines.map((line) => line.map(csvCell).join(",")).join("\n") + "\n");
    count.textContent = done ? say("copied", { rows: found.length }) : say("not_copied");
  };
  filter.oninput = show;
  const table = node("table", {}, [node("thead", {}, [node("tr", {}, heads)]), body]);
  const scroll = node("div", { className: "scroll", tabIndex: 0, role: "region", "aria-labelledby": titleId }, [table]);
  const tools = node("div", { className: "tools" }, [node("label", {}, [say("filter") + " ", filter]), button, count]);
  place.replaceChildren(tools, scroll);
  show();
  return (row) => {
    body.querySelector("[aria-current]")?.removeAttribute("aria-current");
    if (row) lineOf(row).setAttribute("aria-current", "true");
  };
}
