/**
 * The frame of all pictures: their style, light and dark, and their texts.
 *
 * @module
 */

/** Where the pictures and their data are. */
export const FOLDER = new URL("../docs/pictures/", import.meta.url);

const STYLE = `<style>
text { font: 14px system-ui, sans-serif; fill: #1b1f24 }
.muted { fill: #57606a; font-size: 12px }
.box { fill: #f7f8fa; stroke: #7d8590 }
.line { stroke: #57606a; fill: none; stroke-width: 1.5 }
.head { fill: #57606a }
.own { fill: #0a58ca }
.peer { fill: #9aa4b2 }
.bad { fill: #b3261e }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e9ee }
  .muted { fill: #a3adba }
  .box { fill: #171b22; stroke: #6b7482 }
  .line { stroke: #a3adba }
  .head { fill: #a3adba }
  .own { fill: #7db4ff }
  .peer { fill: #55606e }
  .bad { fill: #ff8f85 }
}
</style>`;

/** The arrow heads of lines. */
export const HEAD =
  `<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>`;

/** A picture with a title and a text for those who cannot see it. */
export function svg(
  width: number,
  height: number,
  { title, text }: { readonly title: string; readonly text: string },
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 ${width + 2} ${
      height + 2
    }" width="${width + 2}" height="${
      height + 2
    }" role="img" aria-labelledby="title text">`,
    `<title id="title">${title}</title>`,
    `<desc id="text">${text}</desc>`,
    STYLE,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}
