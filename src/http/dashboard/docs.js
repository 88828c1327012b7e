/** Reads the OpenAPI document of this server to people. */
import { askJson } from "./api.js";
import { element } from "./show.js";

const METHODS = ["get", "head", "put", "post", "patch", "delete"];
const at = (id) => document.getElementById(id);
const doc = await askJson("/openapi.json");

/** Text in which `code` is marked. */
function prose(text = "") {
  return text.split("`").map((part, i) => i % 2 ? element("code", {}, part) : part);
}

function code(text) {
  return element("code", {}, text);
}

function part(title, ...children) {
  return [element("h4", {}, title), ...children];
}

function table(...rows) {
  const body = rows.map(([head, ...cells]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, head),
      ...cells.map((cell) => element("td", {}, ...[cell].flat())),
    )
  );
  return element("div", { class: "scroll" }, element("table", {}, ...body));
}

/** A schema in a few words; what has a name is a link to it. */
function words(schema) {
  if (!schema || Object.keys(schema).length === 0) return ["any"];
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return [element("a", { href: `#schema-${name}` }, name)];
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.flatMap((one, i) => i ? [" or ", ...words(one)] : words(one));
  if (schema.const !== undefined) return [code(JSON.stringify(schema.const))];
  if (schema.enum) return [code(schema.enum.join(" | "))];
  if (schema.type === "array") return ["list of ", ...words(schema.items)];
  if (schema.type === "object" && !schema.properties) {
    return ["object of ", ...words(schema.additionalProperties)];
  }
  if (schema.type === "object") {
    return ["{ ", code(Object.keys(schema.properties).join(", ")), " }"];
  }
  const { minimum, maximum, format } = schema;
  const bounds = [
    minimum !== undefined && `from ${minimum}`,
    maximum !== undefined && `to ${maximum}`,
    format,
  ].filter(Boolean);
  return [[schema.type].flat().join(" or "), ...(bounds.length ? [` (${bounds.join(" ")})`] : [])];
}

function fields({ properties = {}, required = [] }) {
  return table(
    ...Object.entries(properties).map(([name, schema]) => [
      code(name),
      [...words(schema), required.includes(name) ? "" : " · optional"],
      prose(schema.description),
    ]),
  );
}

function content(of = {}) {
  return Object.entries(of).map(([type, { schema }]) =>
    element("p", {}, code(type), ...(schema ? [" ", ...words(schema)] : []))
  );
}

function answers(responses) {
  return table(
    ...Object.entries(responses).map(([status, given]) => {
      const { description, content: of } = given.$ref
        ? doc.components.responses[given.$ref.split("/").at(-1)]
        : given;
      const isAny = status === "default";
      return [isAny ? "else" : status, isAny ? ["a problem"] : prose(description), content(of)];
    }),
  );
}

function access({ security }) {
  if (security.length === 0) return "Anyone.";
  const open = security.some((scheme) => Object.keys(scheme).length === 0);
  return open
    ? "A token; or none, on the server's own machine, where none is required."
    : "The operator's token.";
}

function operation(path, method, own, shared = []) {
  const parameters = [...shared, ...own.parameters ?? []];
  return element(
    "details",
    { id: own.operationId, "data-text": `${method} ${path} ${own.summary}`.toLowerCase() },
    element(
      "summary",
      {},
      element("span", { class: "method" }, method.toUpperCase()),
      code(path),
      element("span", { class: "quiet" }, ...prose(own.summary)),
    ),
    element(
      "div",
      { class: "inside" },
      ...(own.description ? [element("p", {}, ...prose(own.description))] : []),
      ...part("Who", element("p", {}, access(own))),
      ...(parameters.length
        ? part(
          "Parameters",
          table(...parameters.map((one) => [
            code(one.name),
            [one.in, " · ", ...words(one.schema)],
            prose(one.description),
          ])),
        )
        : []),
      ...(own.requestBody
        ? part(
          "Body",
          element("p", {}, ...prose(own.requestBody.description)),
          ...content(own.requestBody.content),
        )
        : []),
      ...part("Answers", answers(own.responses)),
    ),
  );
}

function show() {
  at("version").textContent = doc.info.version;
  at("about").replaceChildren(...prose(doc.info.description));
  at("tags").replaceChildren(...doc.tags.map(({ name, description }) => {
    const own = Object.entries(doc.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]?.tags[0] === name)
        .map((method) => operation(path, method, item[method], item.parameters))
    );
    const id = `tag-${name}`;
    return element(
      "section",
      { "aria-labelledby": id },
      element("h2", { id }, name),
      element("p", { class: "quiet" }, ...prose(description)),
      ...own,
    );
  }));
  at("tags").setAttribute("aria-busy", "false");
  at("schemas").append(
    ...Object.entries(doc.components.schemas).map(([name, schema]) =>
      element(
        "details",
        { id: `schema-${name}`, "data-text": name.toLowerCase() },
        element("summary", {}, code(name)),
        element(
          "div",
          { class: "inside" },
          ...(schema.description ? [element("p", {}, ...prose(schema.description))] : []),
          schema.properties ? fields(schema) : element("p", {}, ...words(schema)),
          ...(schema.oneOf ?? []).filter((one) => one.properties).map(fields),
        ),
      )
    ),
  );
  at("schemas").hidden = false;
}

/** Opens what the address names. */
function go() {
  const named = location.hash && at(decodeURIComponent(location.hash.slice(1)));
  if (!named) return;
  named.open = true;
  named.scrollIntoView();
}

function search() {
  const wanted = at("wanted").value.trim().toLowerCase();
  for (const one of document.querySelectorAll("details")) {
    one.hidden = !one.dataset.text.includes(wanted);
  }
  for (const section of document.querySelectorAll("#tags > section, #schemas")) {
    section.hidden = ![...section.querySelectorAll("details")].some((one) => !one.hidden);
  }
}

show();
go();
addEventListener("hashchange", go);
at("wanted").addEventListener("input", search);
at("find").addEventListener("submit", (event) => event.preventDefault());
