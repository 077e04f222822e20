import assert from "node:assert/strict";
import { test } from "node:test";

import { build, match, parse } from "../app/router.mjs";

test("an empty address is the overview", () => {
  for (const fragment of ["", "#", "#/"])
    assert.deepEqual(parse(fragment), { segments: [], query: {} });
});

test("what was built is read back, whatever is in the names", () => {
  for (const name of ["cart-5f9c", "a/b", "100%", "ä b", "?x=1#y", "<b>", "+", "a&b=c"]) {
    const fragment = build(["pods", "shop", name], { container: name });
    assert.deepEqual(parse(fragment), {
      segments: ["pods", "shop", name],
      query: { container: name },
    });
  }
});

test("parameters without a value are left out", () => {
  assert.equal(
    build(["pods"], { namespace: "", node: undefined, sort: "-cpu", page: null }),
    "#/pods?sort=-cpu",
  );
  assert.equal(build(["pods"], {}), "#/pods");
});

test("an address that somebody broke is read as it was typed", () => {
  assert.deepEqual(parse("#/nodes/50%").segments, ["nodes", "50%"]);
});

test("a route fits by length, words and names", () => {
  const routes = [
    { path: ["pods"] },
    { path: ["pods", ":namespace", ":pod"] },
    { path: ["nodes", ":node", "units", ":unit"] },
  ];
  assert.equal(match(routes, ["pods"]).route, routes[0]);
  assert.deepEqual(match(routes, ["pods", "shop", "cart"]).names, {
    namespace: "shop",
    pod: "cart",
  });
  assert.deepEqual(match(routes, ["nodes", "n1", "units", "ssh.service"]).names, {
    node: "n1",
    unit: "ssh.service",
  });
  assert.equal(match(routes, ["nodes", "n1", "pods", "x"]), null);
  assert.equal(match(routes, ["elsewhere"]), null);
});
