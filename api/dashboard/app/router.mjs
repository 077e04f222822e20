// Where the reader is: the part of the address behind `#`. It needs nothing of the server, which
// so serves one page, and the browser's back button works by itself.

/**
 * Reads a fragment such as `#/pods/shop/cart-1?container=cart`.
 * Names are percent-encoded in it one by one, so that one with a slash stays one.
 */
export function parse(fragment) {
  const [path, query = ""] = fragment.replace(/^#\/?/, "").split(/\?(.*)/s);
  const segments = path.split("/").filter(Boolean).map(decoded);
  return { segments, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** The fragment that `parse` reads back; parameters without a value are left out. */
export function build(segments, query = {}) {
  const path = `#/${segments.map(encodeURIComponent).join("/")}`;
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const parameters = new URLSearchParams(given).toString();
  return parameters ? `${path}?${parameters}` : path;
}

/**
 * The first of `routes` (`{ path: ["pods", ":namespace", ":pod"], … }`) that fits, with the names
 * it found; null where none fits.
 */
export function match(routes, segments) {
  for (const route of routes) {
    const names = namesIn(route.path, segments);
    if (names) return { route, names };
  }
  return null;
}

function namesIn(path, segments) {
  if (path.length !== segments.length) return null;
  const names = {};
  for (const [place, part] of path.entries()) {
    if (part.startsWith(":")) names[part.slice(1)] = segments[place];
    else if (part !== segments[place]) return null;
  }
  return names;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    // A lone `%` that somebody typed: what was typed is looked for.
    return part;
  }
}
