// What a reader chose, remembered in the browser. Where that is forbidden, it holds for this page.

const PREFIX = "kubemonitor.";
const here = new Map();

/** What was chosen of `allowed`; the first of them where nothing was. */
export function preferred(name, allowed) {
  const chosen = here.get(name) ?? stored(name);
  return allowed.includes(chosen) ? chosen : allowed[0];
}

/** Remembers a choice. */
export function prefer(name, value) {
  here.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Remembered until the page is closed.
  }
}

function stored(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}
