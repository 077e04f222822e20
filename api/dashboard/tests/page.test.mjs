// What the server's content security policy and its file table demand of the files.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { after } from "../app/theme.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

const files = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(ROOT, join(entry.parentPath ?? entry.path, entry.name)))
  .filter((path) => !path.startsWith("tests"));
const read = (path) => readFileSync(join(ROOT, path), "utf8");
const code = files.filter((path) => path.endsWith(".mjs"));

test("the page names files that are there", () => {
  const named = [...read("index.html").matchAll(/(?:href|src)="([^"]+\.[a-z]+)"/g)].map(
    ([, path]) => path,
  );
  assert.ok(named.length > 5);
  for (const path of named) assert.ok(existsSync(join(ROOT, path)), path);
});

test("every module imports modules that are there, and all are used", () => {
  const imported = new Set(["app/main.mjs", "app/theme.mjs"]);
  for (const path of code) {
    for (const [, from] of read(path).matchAll(/from "([^"]+)"/g)) {
      const target = join(dirname(path), from);
      assert.ok(files.includes(target), `${path} imports ${from}`);
      imported.add(target);
    }
  }
  assert.deepEqual(
    code.filter((path) => !imported.has(path)),
    [],
  );
});

test("nothing comes from elsewhere and nothing is inline", () => {
  const html = read("index.html");
  assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/);
  assert.doesNotMatch(html, /\son[a-z]+=/);
  for (const path of files) {
    const elsewhere = read(path)
      .replaceAll("http://www.w3.org/2000/svg", "")
      .match(/https?:\/\/[a-z0-9]\S*/i);
    assert.equal(elsewhere, null, path);
  }
});

test("data never becomes markup or code", () => {
  for (const path of code)
    assert.doesNotMatch(
      read(path),
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:/,
      path,
    );
});

test("the theme switch goes round", () => {
  assert.deepEqual(["system", "light", "dark"].map(after), ["light", "dark", "system"]);
});
