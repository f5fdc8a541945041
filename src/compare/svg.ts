/** Text that cannot be taken for markup, in elements and attributes. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** An element; attributes with numbers are rounded to a tenth of a pixel. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly string[]
): string {
  const written = Object.entries(attributes).map(([key, value]) => {
    const text = typeof value === "number" ? String(Math.round(value * 10) / 10) : value;
    return ` ${key}="${escapeMarkup(text)}"`;
  });
  return `<${name}${written.join("")}>${children.join("")}</${name}>`;
}

/** A line of text at a place. */
export function label(
  x: number,
  y: number,
  text: string,
  attributes: Readonly<Record<string, string | number>> = {},
): string {
  return element("text", { x, y, ...attributes }, escapeMarkup(text));
}

/** A drawing that scales with its place and says what it shows. */
export function drawing(
  size: { readonly width: number; readonly height: number; readonly title: string },
  ...children: readonly string[]
): string {
  const { width, height, title } = size;
  const heading = element("title", {}, escapeMarkup(title));
  const viewBox = `0 0 ${width} ${height}`;
  return element("svg", { viewBox, role: "img", "aria-label": title }, heading, ...children);
}
