import { quote } from "../../src/text.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../src/errors.ts";
import { parseIni } from "../../src/config/ini.ts";

/** What the text means: its sections, each with its options. */
type Sections = [section: string, options: [name: string, value: string][]][];

// Results of Python 3.11:
//   p = configparser.RawConfigParser(); p.read(file, encoding="utf-8")
//   [(s, p.items(s)) for s in p.sections()]
const CASES: [name: string, text: string, sections: Sections][] = [
  [
    "the seed's file",
    "[container]\n" +
    "worker = zc.sqs.tests:scaled_addr\n" +
    "queue = adder\n" +
    "loggers =\n" +
    "   <logger>\n" +
    "     level INFO\n" +
    "     <logfile>\n" +
    "       path STDOUT\n" +
    "       format %(levelname)s %(name)s %(message)s\n" +
    "     </logfile>\n" +
    "   </logger>\n" +
    "   <logger>\n" +
    "     level INFO\n" +
    "     propagate false\n" +
    "     name zc.sqs.messages\n" +
    "     <logfile>\n" +
    "       path messages.log\n" +
    "       format %(message)s\n" +
    "     </logfile>\n" +
    "   </logger>\n" +
    "\n" +
    "[worker]\n" +
    "scale = 2",
    [
      ["container", [
        ["worker", "zc.sqs.tests:scaled_addr"],
        ["queue", "adder"],
        [
          "loggers",
          "\n<logger>\nlevel INFO\n<logfile>\npath STDOUT\nformat %(levelname)s %(name)s %(message)s\n</logfile>\n</logger>\n<logger>\nlevel INFO\npropagate false\nname zc.sqs.messages\n<logfile>\npath messages.log\nformat %(message)s\n</logfile>\n</logger>",
        ],
      ]],
      ["worker", [["scale", "2"]]],
    ],
  ],
  [
    "values that look like other types",
    "[s]\na = 007\nb = 1e3\nc = true\nd = null\ne = \"quoted\"\nf = 'x'\ng = -0\n",
    [
      ["s", [
        ["a", "007"],
        ["b", "1e3"],
        ["c", "true"],
        ["d", "null"],
        ["e", '"quoted"'],
        ["f", "'x'"],
        ["g", "-0"],
      ]],
    ],
  ],
  [
    "delimiters in values",
    "[s]\na = b=c:d\nb: c=d\nc:=d\nd =\ne:\nf=#x\ng = ;x\nh = x ; y # z\n",
    [
      ["s", [
        ["a", "b=c:d"],
        ["b", "c=d"],
        ["c", "=d"],
        ["d", ""],
        ["e", ""],
        ["f", "#x"],
        ["g", ";x"],
        ["h", "x ; y # z"],
      ]],
    ],
  ],
  [
    "comments",
    "# one\n[s]\n; two\na = 1\n  # three\n// = 4\n//b = 5\n  \n;\nc = 6\n",
    [
      ["s", [["a", "1"], ["//", "4"], ["//b", "5"], ["c", "6"]]],
    ],
  ],
  ["// is no comment", "[s]\n//a = 1\nb = 2\n  // c\n", [
    ["s", [["//a", "1"], ["b", "2\n// c"]]],
  ]],
  [
    "continuation lines",
    "[s]\na = 1\n  2\n\t3  \nb =\n  x\n    y = z\n  [no]\n",
    [
      ["s", [["a", "1\n2\n3"], ["b", "\nx\ny = z\n[no]"]]],
    ],
  ],
  [
    "comments and empty lines between continuation lines",
    "[s]\na = 1\n\n  2\n  # no\n; no\n \t \n  3\n\n\nb = 4\n\n",
    [
      ["s", [["a", "1\n\n2\n\n3"], ["b", "4"]]],
    ],
  ],
  ["an empty line before a section", "[s]\na = 1\n\n[t]\n\nb = 2\n", [
    ["s", [["a", "1"]]],
    ["t", [["b", "2"]]],
  ]],
  [
    "an indented file",
    "  [s]\n  a = 1\n    2\n  b = 3\n b2 = 4\n  still b2\n\t[t]\n\tc = 5\n",
    [
      ["s", [["a", "1\n2"], ["b", "3"], ["b2", "4\nstill b2"]]],
      ["t", [["c", "5"]]],
    ],
  ],
  ["a section that only looks indented deeper", "[s]\n  [t]\n  a = 1\n [u]\n", [
    ["s", []],
    ["t", [["a", "1"]]],
    ["u", []],
  ]],
  ["CRLF", "[s]\r\na = 1\r\n  2\r\n\r\nb = 3\r\n", [
    ["s", [["a", "1\n2"], ["b", "3"]]],
  ]],
  ["CR", "[s]\ra = 1\r  2\r\rb = 3", [
    ["s", [["a", "1\n2"], ["b", "3"]]],
  ]],
  [
    "line ends of Unicode, which end no line",
    "[s]\na = 1\u20282\u000b3\u000c4\u00855\n",
    [
      ["s", [["a", "1\u20282\u000b3\u000c4\u00855"]]],
    ],
  ],
  [
    "white space that only Python strips",
    "[s]\na\u001f=\u0085 1 \u001e\n\u001cb = \ufeff2\ufeff\n",
    [
      ["s", [["a", "1\nb = \ufeff2\ufeff"]]],
    ],
  ],
  [
    "names in lower case, values as written",
    "[S]\nAbC = DeF\nÄ = Ö\nx Y : z\n",
    [
      ["S", [["abc", "DeF"], ["ä", "Ö"], ["x y", "z"]]],
    ],
  ],
  [
    "names of Object.prototype",
    "[__proto__]\n__proto__ = 1\nconstructor = 2\n[constructor]\ntoString = 3\n",
    [
      ["__proto__", [["__proto__", "1"], ["constructor", "2"]]],
      ["constructor", [["tostring", "3"]]],
    ],
  ],
  ["names that are numbers, in the file's order", "[2]\n2 = a\n1 = b\n[1]\n", [
    ["2", [["2", "a"], ["1", "b"]]],
    ["1", []],
  ]],
  ["section names exactly", "[ a ]\n[b]c] d\n[e = f]\n[//]\n[#]\n", [
    [" a ", []],
    ["b]c", []],
    ["e = f", []],
    ["//", []],
    ["#", []],
  ]],
  ["an option that starts with a bracket", "[s]\n[a = 1\n[] = 2\n", [
    ["s", [["[a", "1"], ["[]", "2"]]],
  ]],
  [
    "%, backslashes, quotes",
    '[s]\na = %(b)s 100% %0041\nb = C:\\x\\n\nc = "\nd = "a" "b"\n',
    [
      ["s", [["a", "%(b)s 100% %0041"], ["b", "C:\\x\\n"], ["c", '"'], [
        "d",
        '"a" "b"',
      ]]],
    ],
  ],
  ["astral characters", "[s]\n😀 = ü😀\n", [
    ["s", [["😀", "ü😀"]]],
  ]],
  [
    "[DEFAULT]",
    "[s]\na = own\n[DEFAULT]\nA = default\nb = default\n[t]\n[DEFAULT]\nc = more\n",
    [
      ["s", [["a", "own"], ["b", "default"], ["c", "more"]]],
      ["t", [["a", "default"], ["b", "default"], ["c", "more"]]],
    ],
  ],
  ["an empty text", "", []],
  ["only comments", "# nothing\n\n", []],
];

for (const [name, text, sections] of CASES) {
  Deno.test(`parseIni() reads as Python does: ${name}`, () => {
    assertEquals(read(text), sections);
  });
}

function read(text: string): Sections {
  const ini = parseIni(text, "adder.ini");
  return [...ini].map(([name, { options }]) => [
    name,
    [...options].map(([lowerName, { value }]) => [lowerName, value]),
  ]);
}

Deno.test("parseIni() drops a byte-order mark, which Python refuses", () => {
  assertEquals(read("\ufeff[s]\na = 1\n"), [["s", [["a", "1"]]]]);
});

Deno.test("parseIni() keeps lone surrogates, which no UTF-8 file holds", () => {
  assertEquals(read("[\ud800]\na = \udc00"), [["\ud800", [["a", "\udc00"]]]]);
});

Deno.test("parseIni() tells lines, names as written and defaults", () => {
  const ini = parseIni(
    "# one\r\n[s]\r\nAbc =\r\n  1\r\n\r\n  2\r\nb = 3\r\n" +
      "[DEFAULT]\r\nDef = 4\r\nABC = 5\r\n[t]",
    "adder.ini",
  );
  const def = {
    name: "Def",
    value: "4",
    line: 9,
    valueLines: [9],
    fromDefault: true,
  };
  assertEquals([...ini.values()], [
    {
      name: "s",
      line: 2,
      options: new Map([
        ["def", def],
        ["abc", {
          name: "Abc",
          value: "\n1\n\n2",
          line: 3,
          valueLines: [3, 4, 5, 6],
          fromDefault: false,
        }],
        ["b", {
          name: "b",
          value: "3",
          line: 7,
          valueLines: [7],
          fromDefault: false,
        }],
      ]),
    },
    {
      name: "t",
      line: 11,
      options: new Map([
        ["def", def],
        ["abc", {
          name: "ABC",
          value: "5",
          line: 10,
          valueLines: [10],
          fromDefault: true,
        }],
      ]),
    },
  ]);
});

const NO_DELIMITER = 'no "=" or ":" after its option name';

const INDENT = "Indent a line that continues a value";

// Python refuses each of them too.
const REFUSED: [text: string, problem: string][] = [
  [
    "a = 1\n[s]\n",
    "line 1 stands before any section such as [container]: " +
    'current line is "a = 1"',
  ],
  [
    "// no comment\n[s]\n",
    "line 1 stands before any section such as [container]: " +
    'current line is "// no comment"',
  ],
  [
    "\ufeff\ufeff[s]\n",
    "line 1 stands before any section such as [container]: " +
    'current line is "\ufeff[s]"',
  ],
  [
    "\r\n[s]\r\n\r\nqueue adder\r\n",
    `line 4 has ${NO_DELIMITER}: current line is "queue adder". ${INDENT}`,
  ],
  [
    "[s]\n\n  a\tb\x1b[2J\n",
    `line 3 has ${NO_DELIMITER}: current line is "a\\tb\\u001b[2J". ${INDENT}`,
  ],
  [
    "[s]\na = 1\nb\n",
    `line 3 has ${NO_DELIMITER}: current line is "b". ${INDENT}`,
  ],
  [
    "[s]\n = 1\n",
    'line 2 has no option name before "=": current line is "= 1"',
  ],
  [
    "[s]\n: 1\n",
    'line 2 has no option name before ":": current line is ": 1"',
  ],
  ["[]\n", "line 1 has an empty section name"],
  ["[s]\n[]\n", "line 2 has an empty section name"],
  [
    "[s]\n[worker\n",
    'line 2 has no "]" after the section name: current line is "[worker"',
  ],
  [
    "[s\na = 1\n",
    'line 1 has no "]" after the section name: current line is "[s"',
  ],
  [
    "[s]\na = 1\n[t]\n[s]\n",
    "line 4 repeats section [s]: it is first given on line 1",
  ],
  [
    "[__proto__]\n[__proto__]\n",
    "line 2 repeats section [__proto__]: it is first given on line 1",
  ],
  [
    "[container]\n\nqueue = a\nb =\n  1\n\nQueue : a\n",
    'line 7 repeats option "Queue" of [container]: ' +
    "it is first given on line 3",
  ],
  [
    "[DEFAULT]\na = 1\n[DEFAULT]\na = 1\n",
    'line 4 repeats option "a" of [DEFAULT]: it is first given on line 2',
  ],
];

Deno.test("parseIni() refuses what Python refuses, with the line", () => {
  for (const [text, problem] of REFUSED) {
    const error = assertThrows(
      () => parseIni(text, "adder.ini"),
      ConfigError,
    );
    assertEquals(error.message, `Cannot read adder.ini as ${problem}`);
  }
});

Deno.test("parseIni() reads a long file", () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `a${i} = ${i}\n  x\n`);
  const ini = parseIni("[s]\n" + lines.join(""), "adder.ini");
  assertEquals(ini.get("s")?.options.size, 20_000);
});

Deno.test("quote() writes any text on one line", () => {
  assertEquals(
    quote('a "b"\n\t\x1b\x85\u2028c'),
    '"a "b"\\n\\t\\u001b\\u0085\\u2028c"',
  );
});
