/**
 * The style sheet of the operators' page: one file, in light and dark, from a
 * phone's width up.
 *
 * @module
 */

/** A module of text, as JSR and Node load no CSS files. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f7f8fa;--card:#fff;--line:#d5d9e0;--edge:#7d8590;
--text:#1b1f24;--muted:#57606a;--link:#0a58ca;--on-link:#fff;
--ok:#14703a;--ok-bg:#e6f4ea;--warn:#8a5300;--warn-bg:#fff4d6;--bad:#b3261e;--bad-bg:#fdecea;
--fill:#0a58ca1f;--radius:8px;--tap:36px;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){:root{--bg:#0f1217;--card:#171b22;--line:#2d343f;--edge:#6b7482;
--text:#e6e9ee;--muted:#a3adba;--link:#7db4ff;--on-link:#0f1217;
--ok:#6fd08c;--ok-bg:#12301d;--warn:#f2b84b;--warn-bg:#33270d;--bad:#ff8f85;--bad-bg:#3a1a18;
--fill:#7db4ff26}}
@media(pointer:coarse){:root{--tap:44px}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-bottom:96px}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1,h2,h3,p,dl,dd,ul,ol,figure,pre{margin:0;padding:0}
h1{font-size:24px;line-height:1.25;letter-spacing:-.01em}
h2{font-size:16px;line-height:1.4}
a{color:var(--link);text-underline-offset:2px}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:8px;top:-60px;z-index:2;padding:8px 16px;background:var(--card);border-radius:0 0 8px 8px}
.skip:focus{top:0}
.muted{color:var(--muted)}
.small{font-size:13px}
.id{font-size:12px}
.nowrap{white-space:nowrap}
code,pre,textarea,.mono{font-family:var(--mono);font-size:13px}

.bar{background:var(--card);border-bottom:1px solid var(--line)}
.bar>div,main{max-width:1120px;margin:0 auto;padding:0 24px}
.bar>div{display:flex;flex-wrap:wrap;align-items:center;gap:0 24px;min-height:56px}
.brand{font-weight:700;font-size:18px;letter-spacing:-.02em;color:var(--text);text-decoration:none;display:flex;align-items:center;gap:8px}
.brand svg{width:22px;height:22px}
.bar nav ul{display:flex;flex-wrap:wrap;list-style:none;gap:0 4px}
.bar nav a{display:block;padding:0 12px;line-height:55px;color:var(--muted);text-decoration:none;border-bottom:2px solid transparent;border-top:2px solid transparent}
.bar nav a:hover{color:var(--text)}
.bar nav a[aria-current]{color:var(--text);font-weight:600;border-bottom-color:var(--link)}
.where{margin-left:auto;display:flex;flex-wrap:wrap;gap:0 16px;align-items:center;font-size:13px;color:var(--muted)}
.where b{color:var(--text);font-weight:600}
.live .on,.live .lost{display:none}
[data-live=on] .live .on,[data-live=lost] .live .lost{display:inline}
[data-live=on] .live .off,[data-live=lost] .live .off{display:none}
main{padding-top:24px;padding-bottom:40px;display:grid;gap:24px;grid-template-columns:minmax(0,1fr)}
main>:empty,.stack>div:empty{display:none}
.foot{width:min(100% - 48px,1072px);margin:0 auto;padding:16px 0 24px;border-top:1px solid var(--line);color:var(--muted);font-size:13px;display:flex;flex-wrap:wrap;gap:4px 24px}
.foot :last-child{margin-left:auto}

.head{display:flex;flex-wrap:wrap;align-items:center;gap:8px 16px}
.head h1{min-width:0}
.head .acts{margin-left:auto}
.head .status{font-size:15px}
.crumb{font-size:13px;color:var(--muted);flex-basis:100%}
.stack{display:grid;gap:16px;grid-template-columns:minmax(0,1fr)}
.stack.tight{gap:8px}
.card{background:var(--card);border:1px solid var(--line);border-radius:var(--radius);padding:16px 20px}
.card>h2{margin-bottom:12px}
.card.flush{padding:0}
.cols{display:grid;gap:24px;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));align-items:start}

.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(120px,1fr));background:var(--card);border:1px solid var(--line);border-radius:var(--radius);overflow:hidden}
.tiles>div{padding:12px 20px;box-shadow:-1px -1px 0 var(--line)}
.tiles dt{font-size:13px;color:var(--muted)}
.tiles dd{font-size:24px;line-height:1.3;font-weight:600}
.tiles dd .small{font-weight:400}
.tiles a{text-decoration:none}
.tiles a:hover{text-decoration:underline}

.status{display:inline-flex;align-items:center;gap:6px;font-weight:600;font-size:13px;white-space:nowrap}
.status svg,.icon{width:10px;height:10px;flex:none;fill:currentColor}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}.idle{color:var(--muted)}
.pill{padding:1px 10px;border-radius:99px}
.pill.ok{background:var(--ok-bg)}.pill.warn{background:var(--warn-bg)}.pill.bad{background:var(--bad-bg)}
.pill.idle{box-shadow:inset 0 0 0 1px var(--line)}
.tag{font-size:12px;font-weight:600;color:var(--muted);border:1px solid var(--line);border-radius:4px;padding:0 6px}

.note{display:grid;grid-template-columns:auto minmax(0,1fr);gap:0 10px;padding:12px 16px;border-radius:var(--radius);border:1px solid var(--line);background:var(--card)}
.note>svg{width:12px;height:12px;margin-top:5px;fill:currentColor}
.note>div{color:var(--text)}
.note.ok{background:var(--ok-bg);border-color:var(--ok)}
.note.warn{background:var(--warn-bg);border-color:var(--warn)}
.note.bad{background:var(--bad-bg);border-color:var(--bad)}
.note a{color:inherit;font-weight:600}
.empty{padding:40px 24px;text-align:center;display:grid;gap:8px;justify-items:center;color:var(--muted)}
.empty strong{color:var(--text);font-size:16px}

table{border-collapse:collapse;width:100%}
caption{text-align:left}
th,td{padding:10px 12px;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{border-top:0;font-size:13px;font-weight:600;color:var(--muted);white-space:nowrap}
tbody th{font-weight:600}
th .small{font-weight:400}
th:first-child,td:first-child{padding-left:20px}
th:last-child,td:last-child{padding-right:20px}
.num{text-align:right;white-space:nowrap}
tbody tr:hover{background:color-mix(in srgb,var(--link) 4%,transparent)}
.clip{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden}
.inner tr>:first-child{padding-left:0}
.inner .mono{white-space:nowrap;font-weight:400}
.tick{width:1%}
input[type=checkbox]{width:18px;height:18px;margin:2px 0;accent-color:var(--link);vertical-align:middle}
.tick label{display:block;margin:-6px -8px;padding:6px 8px}

.spark{display:block;width:120px;height:32px}
.chart{display:grid;grid-template-columns:auto minmax(0,1fr);gap:4px 8px;font-size:12px;color:var(--muted)}
.chart .plot{display:block;width:100%;height:150px;border-bottom:1px solid var(--edge)}
.chart .scale{display:flex;flex-direction:column;justify-content:space-between;text-align:right}
.chart .span{grid-column:2;display:flex;justify-content:space-between}
.plot,.spark{overflow:visible}
.l1,.l2,.grid{fill:none;vector-effect:non-scaling-stroke;stroke-width:2;stroke-linejoin:round}
.l1{stroke:var(--link)}.l2{stroke:var(--ok);stroke-dasharray:5 4}.grid{stroke:var(--line);stroke-width:1}
.area{fill:var(--fill)}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;list-style:none;margin-top:12px;font-size:13px}
.legend svg{width:24px;height:8px;margin-right:6px;vertical-align:middle}

.btn{display:inline-flex;align-items:center;justify-content:center;min-height:var(--tap);padding:4px 16px;border:1px solid var(--edge);border-radius:6px;
background:var(--card);color:var(--text);font:inherit;font-weight:600;line-height:1.3;text-decoration:none;cursor:pointer;text-align:center}
.btn:hover{border-color:var(--text)}
.btn.go{background:var(--link);border-color:var(--link);color:var(--on-link)}
.btn.kill{color:var(--bad);border-color:var(--bad)}
.btn.kill.go{background:var(--bad);border-color:var(--bad);color:var(--on-link)}
.btn.go:hover{filter:brightness(1.08)}
.row{display:flex;flex-wrap:wrap;gap:8px;align-items:center}
.row.end{align-items:flex-end}
.spread{justify-content:space-between}
.dock{position:sticky;bottom:0;padding:12px 20px;background:var(--card);border:1px solid var(--line);border-radius:var(--radius);box-shadow:0 -2px 12px #0002}
.field{display:grid;gap:4px;min-width:0}
.field label{font-weight:600;font-size:13px}
.field .small{color:var(--muted)}
.grow{flex:1 1 200px}
input:not([type=checkbox],[type=hidden]),select,textarea{width:100%;min-height:var(--tap);padding:6px 10px;border:1px solid var(--edge);border-radius:6px;background:var(--bg);color:var(--text);font:inherit;font-variant-numeric:tabular-nums}
textarea{min-height:84px;resize:vertical;font-family:var(--mono);font-size:13px}
[aria-invalid=true]{border-color:var(--bad)!important;box-shadow:0 0 0 1px var(--bad)}
.error{color:var(--bad);font-weight:600;font-size:13px}
.narrow>input,.narrow>select{max-width:200px}
.sign-in{max-width:360px;margin:8vh auto 0;width:100%}

.facts{display:grid;grid-template-columns:fit-content(40%) minmax(0,1fr);gap:6px 24px}
.facts dt{color:var(--muted)}
.across{display:flex;flex-wrap:wrap;gap:12px 40px}
.across dt{font-size:13px;color:var(--muted)}
.across dd{font-weight:600}
.across.plain dd{font-weight:400}
pre{white-space:pre-wrap;overflow-wrap:anywhere;max-height:60vh;overflow:auto;background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:12px 14px;line-height:1.5;unicode-bidi:plaintext}
pre+p{margin-top:8px}
.data{unicode-bidi:isolate}
progress{width:100%;height:10px;appearance:none;border:0;border-radius:99px;overflow:hidden;background:var(--line)}
progress::-webkit-progress-bar{background:var(--line)}
progress::-webkit-progress-value{background:var(--link)}
progress::-moz-progress-bar{background:var(--link)}
.plain{list-style:none}

@media(min-width:761px){.jobs th.wide{width:42%}}
@media(max-width:760px){
.head .acts{margin-left:0}
.cards .nowrap{white-space:normal}
.bar>div,main{padding-left:16px;padding-right:16px}
.foot{width:calc(100% - 32px)}
.bar>div{padding-top:8px;gap:0 16px}
.bar nav{order:3;flex-basis:100%;margin:0 -8px}
.bar nav a{line-height:40px;padding:0 8px}
main{padding-top:16px;gap:16px}
.foot :last-child{margin-left:0}
.card{padding:14px 16px}
.cols{gap:16px}
.tiles{grid-template-columns:repeat(auto-fit,minmax(136px,1fr))}
.tiles>div{padding:10px 14px}
.tiles dd{font-size:20px}
.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.cards,.cards tbody{display:block}
.cards tr{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:6px 16px;padding:12px 16px;border-top:1px solid var(--line)}
.cards tbody tr:first-child{border-top:0}
.cards th,.cards td,.cards th:first-child,.cards td:last-child,.cards td:first-child{display:block;padding:0;border:0;text-align:left;width:auto}
.cards .wide{grid-column:1/-1}
.cards.counts tr{grid-template-columns:repeat(auto-fill,minmax(84px,1fr))}
.cards.counts td:empty,.cards.counts td.none{display:none}
.spark{width:100%}
.cards td[data-label]::before{content:attr(data-label);display:block;font-size:12px;color:var(--muted)}
.cards.jobs tr{grid-template-columns:repeat(3,minmax(0,1fr))}
.cards.picks tr{grid-template-columns:28px repeat(3,minmax(0,1fr))}
.cards.picks .wide{grid-column:2/-1}
.cards.picks .first{grid-column:2}
.dock{position:static;box-shadow:none;padding:12px 16px}
.facts{grid-template-columns:1fr;gap:0}
.facts dd{margin-bottom:10px}
.row.end .field{flex:1 1 130px}
.inner .mono{white-space:normal}
.cards.inner tr{padding-left:0;padding-right:0}
}
@media(forced-colors:active){.pill,.note{border:1px solid}.l1,.l2{stroke:CanvasText}}
@media print{.bar nav,.btn,form{display:none}}
`;
