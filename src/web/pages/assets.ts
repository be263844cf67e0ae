/**
 * The files that pages load: the style, the script, the icon.
 *
 * @module
 */

import { ICON } from "./frame.ts";
import { LIVE } from "./live.ts";
import { STYLE } from "./style.ts";

interface Asset {
  readonly type: string;
  readonly text: string;
}

/** By their path. */
export const ASSETS: Readonly<Record<string, Asset>> = {
  "/style.css": { type: "text/css; charset=utf-8", text: STYLE },
  "/live.js": { type: "text/javascript; charset=utf-8", text: LIVE },
  "/icon.svg": { type: "image/svg+xml", text: ICON },
};
