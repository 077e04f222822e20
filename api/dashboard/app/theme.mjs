// Light or dark: as the system says, unless the reader chose one. Runs before the first paint.

import { prefer, preferred } from "./preferences.mjs";

const THEMES = ["system", "light", "dark"];

/** The theme that comes after another one when the switch is pressed. */
export const after = (theme) => THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];

/** The theme in use. */
export const current = () => preferred("theme", THEMES);

/** Shows a theme: the style sheet has one set of colours per value of this attribute. */
export function show(theme, root = document.documentElement) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

/** Chooses a theme and remembers it. */
export function choose(theme) {
  prefer("theme", theme);
  show(theme);
}

if (typeof document !== "undefined") show(current());
