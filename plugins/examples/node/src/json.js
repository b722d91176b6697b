// parse reads one JSON object and keeps every number as the text in which it was written: ids have 19 digits, more
// than a JavaScript number holds. A member that is there twice makes the object unreadable: two readers could
// understand two things. Any problem throws, and the error holds nothing of the text.
export function parse(bytes) {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  let at = 0;
  const fail = () => { throw new Error('the answer is no JSON object that can be read'); };
  const blank = () => { while (at < text.length && ' \t\r\n'.includes(text[at])) at++; };
  const token = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) fail();
    at = pattern.lastIndex;
    return found[0];
  };
  const string = () => JSON.parse(token(/"(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/y));
  const value = (depth) => {
    if (depth > 64) fail();
    blank();
    switch (text[at]) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return string();
      case 't': token(/true/y); return true;
      case 'f': token(/false/y); return false;
      case 'n': token(/null/y); return undefined;
      default: return token(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    }
  };
  const array = (depth) => {
    const out = [];
    at++;
    for (blank(); text[at] !== ']'; blank()) {
      if (out.length && text[at++] !== ',') fail();
      out.push(value(depth + 1));
    }
    at++;
    return out;
  };
  const object = (depth) => {
    const out = new Map();
    at++;
    for (blank(); text[at] !== '}'; blank()) {
      if (out.size && text[at++] !== ',') fail();
      blank();
      const name = string();
      blank();
      if (text[at++] !== ':' || out.has(name)) fail();
      out.set(name, value(depth + 1));
    }
    at++;
    return Object.fromEntries(out);
  };
  blank();
  if (text[at] !== '{') fail();
  const out = object(0);
  blank();
  if (at !== text.length) fail();
  return out;
}
