# Whether a JSON value is as an OpenAPI 3.1 document says: a list of what is wrong, empty if nothing is.
# Knows what kubemonitor's document uses: $ref, type, enum, oneOf, anyOf, allOf, properties, required,
# items, minimum, maximum, pattern, and format date-time. Given more, it says that it does not know it
# rather than to pass what it has not checked. A property that the schema does not name is wrong too:
# then the document is not complete.

# The schema itself, where it is a reference or a sum of others.
def resolved($api):
  if has("$ref") then
    (.["$ref"] | ltrimstr("#/") | split("/")) as $path | $api | getpath($path) | resolved($api)
  elif has("allOf") then
    reduce (.allOf[] | resolved($api)) as $part ({type: "object", required: [], properties: {}};
      .required += ($part.required // []) | .properties += ($part.properties // {}))
  else . end;

# A parameter called $type would hide the builtin `type`.
def is_of($name): if $name == "integer" then type == "number" and floor == . else type == $name end;

def known: [
  "$ref", "type", "enum", "oneOf", "anyOf", "allOf", "properties", "required", "items", "minimum",
  "maximum", "pattern", "format", "description", "title", "example", "examples", "default",
  "deprecated", "discriminator"];

def wrong($api; $given; $at):
  ($given | resolved($api)) as $schema
  | . as $value
  | (($schema | keys) - known | if length > 0 then "\($at): the schema uses \(join(", ")), which is not checked" else empty end),
    (if $schema.type then
       [$schema.type] | flatten | map(. as $name | $value | is_of($name)) | any
       | if . then empty else "\($at): \($value | tojson | .[:60]) is not of type \($schema.type | tostring)" end
     else empty end),
    (if $schema.enum and ($schema.enum | index([$value]) | not) then
       "\($at): \($value | tojson | .[:60]) is none of \($schema.enum | tojson)" else empty end),
    (if $schema.oneOf or $schema.anyOf then
       ($schema.oneOf // $schema.anyOf) as $ways
       | [$ways[] as $way | [$value | wrong($api; $way; $at)]] as $found
       | if $found | any(length == 0) then empty
         else ($found | min_by(length)[:3][]) + " (the nearest of \($ways | length) forms)" end
     else empty end),
    (if ($value | type) == "object" and $schema.properties then
       ($value | keys - ($schema.properties | keys))[] | "\($at): `\(.)` is not in the schema"
     else empty end),
    (if ($value | type) == "object" then
       (($schema.required // []) - ($value | keys))[] | "\($at): `\(.)` is missing"
     else empty end),
    (if ($value | type) == "object" and $schema.properties then
       $schema.properties | to_entries[] | . as {$key, value: $property}
       | if $value | has($key) then $value[$key] | wrong($api; $property; "\($at).\($key)") else empty end
     else empty end),
    (if ($value | type) == "array" and $schema.items then
       range(0; $value | length) as $index | $value[$index] | wrong($api; $schema.items; "\($at)[\($index)]")
     else empty end),
    (if ($value | type) == "number" then
       (if $schema.minimum and $value < $schema.minimum then "\($at): \($value) is below \($schema.minimum)" else empty end),
       (if $schema.maximum and $value > $schema.maximum then "\($at): \($value) is above \($schema.maximum)" else empty end)
     else empty end),
    (if ($value | type) == "string" then
       (if $schema.pattern and ($value | test($schema.pattern) | not) then "\($at): `\($value)` does not match \($schema.pattern)" else empty end),
       (if $schema.format == "date-time" and ($value | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$") | not)
        then "\($at): `\($value)` is no RFC 3339 time" else empty end)
     else empty end);
