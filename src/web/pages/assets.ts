/**
 * The files that pages load: the style, the script, the icon.
 *
 * @module
 */

export interface Asset {
  readonly type: string;
  readonly text: string;
}

/** By their path. */
export const ASSETS: Readonly<Record<string, Asset>> = {
  "/style.css": { type: "text/css; charset=utf-8", text: "" },
  "/live.js": { type: "text/javascript; charset=utf-8", text: "" },
  "/icon.svg": {
    type: "image/svg+xml",
    text: '<svg xmlns="http://www.w3.org/2000/svg"/>',
  },
};
