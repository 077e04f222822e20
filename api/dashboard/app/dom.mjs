// Building documents. Text only ever becomes text: a pod's name that looks like HTML is shown, not
// run.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Attributes that are null, undefined or false are left out; functions are set as
 * properties (`onclick`). Children are nodes, text, or arrays of them; null and false are left out.
 */
export const h = (name, attributes, ...children) => filled(document.createElement(name), attributes, children);

/** An SVG element. */
export const svg = (name, attributes, ...children) =>
  filled(document.createElementNS(SVG, name), attributes, children);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element[name] = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/**
 * Makes `children` the content of `parent`, and leaves alone what already is the same: a link keeps
 * the focus and selected text stays selected while figures around it change.
 */
export function fill(parent, ...children) {
  const wanted = nodes(children).map((child) => (child instanceof Node ? child : document.createTextNode(child)));
  for (const [place, node] of wanted.entries()) {
    const present = parent.childNodes[place];
    if (!present) parent.append(node);
    else if (present !== node && !present.isEqualNode(node)) present.replaceWith(node);
  }
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}

/**
 * Makes the children of `parent` those of `items`, in their order: `create(item)` for new ones,
 * `update(element, item)` for all. An item's element stays the same as long as its `key` does.
 */
export function reconcile(parent, items, key, create, update) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const present = new Map([...parent.children].map((element) => [element.itemKey, element]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const element = present.get(name) ?? Object.assign(create(item), { itemKey: name });
    present.delete(name);
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of present.values()) element.remove();
  // Moving an element takes the focus off it.
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}
