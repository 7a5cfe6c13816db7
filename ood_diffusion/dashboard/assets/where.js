// "Only runs where": settings and figures compared with values, joined by and, or, not and brackets.
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(==|!=|<=|>=|[=<>~()])|([^\s"'=!<>~()]+))/y;
const COMPARE = {
  "==": same, "=": same, "!=": (a, b) => !same(a, b),
  "<": (a, b) => Number(a) < Number(b), "<=": (a, b) => Number(a) <= Number(b),
  ">": (a, b) => Number(a) > Number(b), ">=": (a, b) => Number(a) >= Number(b),
  "~": (a, b) => String(a).toLowerCase().includes(b.toLowerCase()),
};

function numeric(value) {
  return typeof value === "number" || (String(value).trim() !== "" && Number.isFinite(Number(value)));
}

function same(a, b) {
  return numeric(a) && numeric(b) ? Number(a) === Number(b) : String(a) === String(b);
}

/** What a run has under a name, undefined if nothing: a figure where it is compared with a number, else a setting. */
function valueOf(run, name, value) {
  const of = (from) => (Object.hasOwn(from, name) && from[name] !== "—" ? from[name] : undefined);
  const figure = (of(run.figures) || [])[0];
  const setting = of({ run: run.folder, status: run.status }) ?? of(run.at) ?? of(run.config) ?? of(page.alike.config);
  return numeric(value) ? figure ?? setting : setting ?? figure;
}

/** An expression as a function of a run; null if it is empty. Throws an `Error` with what is wrong for people. */
function whereOf(text) {
  const words = [];
  let next = TOKEN.lastIndex = 0;
  while (text.slice(TOKEN.lastIndex).trim()) {
    const start = TOKEN.lastIndex, found = TOKEN.exec(text);
    if (!found) throw new Error(`cannot read “${text.slice(start).trim()}”`);
    const [, quoted, operator, word] = found;
    words.push(quoted ? { text: quoted.slice(1, -1).replace(/\\(.)/g, "$1"), value: true }
      : { text: operator || word, word: true, value: !operator });
  }
  if (!words.length) return null;

  const take = (...texts) => (words[next] && words[next].word && texts.includes(words[next].text) ? words[next++].text : "");
  const value = (what) => {
    const found = words[next++];
    if (!found || !found.value) throw new Error(`expected ${what}${found ? ` before “${found.text}”` : " at the end"}`);
    return found.text;
  };
  const either = () => {
    const parts = [both()];
    while (take("or")) parts.push(both());
    return (run) => parts.some((part) => part(run));
  };
  const both = () => {
    const parts = [one()];
    while (take("and")) parts.push(one());
    return (run) => parts.every((part) => part(run));
  };
  const one = () => {
    if (take("not")) {
      const inner = one();
      return (run) => !inner(run);
    }
    if (take("(")) {
      const inner = either();
      if (!take(")")) throw new Error("a bracket is not closed");
      return inner;
    }
    const name = value("a setting or figure");
    const how = take(...Object.keys(COMPARE));
    if (!how) throw new Error(`expected ${Object.keys(COMPARE).join(" ")} after “${name}”`);
    const wanted = value("a value");
    if (page.runs.every((run) => valueOf(run, name, wanted) === undefined)) throw new Error(`no run has “${name}”`);
    return (run) => {
      const found = valueOf(run, name, wanted);
      return found === undefined ? how === "!=" : COMPARE[how](found, wanted);
    };
  };
  const whole = either();
  if (next < words.length) throw new Error(`expected “and” or “or” before “${words[next].text}”`);
  return whole;
}
