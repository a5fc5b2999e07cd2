"""The style sheet of the HTML page."""

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--soft:#f6f8fa;--text:#1f2328;--dim:#57606a;--line:#d0d7de;--link:#0a5cc2;
--ok:#116329;--okbg:#dafbe1;--no:#b31d28;--nobg:#ffe9e7;--lit:#ffd54a;--h:#ddeefb;--n:#fdf0c0;--a:#f0e2fb;--e:#fbdde6;
--p:#eceff2;--hatch:#0000000d}
@media screen and (prefers-color-scheme:dark)
{:root{--bg:#0f1318;--soft:#171c23;--text:#e4e9ee;--dim:#9ea8b3;--line:#38414b;
--link:#6cb2ff;--ok:#6bd585;--okbg:#12301c;--no:#ff9088;--nobg:#43181b;--h:#14344d;--n:#3f340c;--a:#3a2350;--e:#501e30;
--p:#232a32;--hatch:#ffffff14}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
a{color:var(--link)}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .4rem}h2{font-size:1.1rem;margin:0}h3{font-size:.95rem;margin:0}
small,.about,.t i,.policy i,.dim,footer{color:var(--dim)}small{font-weight:400;font-size:.85em}
.t i,.policy i{font-style:normal;font-size:.82em}
header,footer,.page{max-width:98rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.6rem}.summary{max-width:62rem;margin:0 0 1rem;font-size:1.05rem}
.tools{display:flex;flex-wrap:wrap;gap:.5rem 1.2rem;align-items:center;margin:0 0 .8rem}
input[type=search],button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--dim);
border-radius:6px;padding:.25rem .6rem}
label{white-space:nowrap;display:inline-flex;gap:.5rem;align-items:center;max-width:100%}::placeholder{color:var(--dim);opacity:1}
input[type=search]{width:min(22rem,100%)}button{cursor:pointer}button:hover{background:var(--soft)}
:focus-visible{outline:2px solid var(--link);outline-offset:1px}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1rem;list-style:none;margin:0 0 1rem;padding:0;font-size:.87rem}
.legend b,.d b{font-weight:400;border-radius:2px;text-underline-offset:3px;text-decoration-thickness:1px}
.legend b{font:12.5px ui-monospace,monospace;padding:0 .25rem}
b.h{background:var(--h);text-decoration:underline dotted}b.n{background:var(--n);text-decoration:underline solid}
b.a{background:var(--a);text-decoration:underline dashed}b.p{background:var(--p)}
b.e{background:repeating-linear-gradient(135deg,var(--hatch) 0 3px,#0000 3px 7px) var(--e);
text-decoration:underline wavy}
.page{display:grid;grid-template-columns:19rem minmax(0,1fr);gap:0 1.75rem;border-top:1px solid var(--line);
padding-top:1rem}
.page.alone{display:block}
nav details{position:sticky;top:.75rem;max-height:calc(100vh - 1.5rem);overflow-y:auto;scrollbar-width:thin;
padding:0 .6rem .5rem 0}
nav summary,.life summary{cursor:pointer}nav summary{font-weight:600}
.ends{display:flex;justify-content:space-between;margin:.4rem .9rem .1rem 0;font-size:.82rem;color:var(--dim)}
.rail{list-style:none;margin:0 1.4rem 0 .55rem;padding:.2rem 0;
border:solid var(--dim);border-width:0 2px;font-size:.84rem;
line-height:1.3}
.rail a{display:block;color:var(--text);text-decoration:none;padding:.25rem 0 .35rem;margin:0 2px}
.rail a:hover,.rail [aria-current]{background:var(--soft)}.rail [aria-current] b{text-decoration:underline}
.rail span{display:block;position:relative;padding:0 .55rem 2px;border-bottom:1.5px solid var(--dim)}
.rail .r{text-align:right;border-bottom-style:dashed;padding-top:3px;border-color:currentColor}
.rail span::after{content:"";position:absolute;bottom:-5px;border:solid #0000;border-width:4.5px 0}
.rail .q::after{right:-1px;border-left:8px solid var(--dim)}
.rail .r::after{left:-1px;border-right:8px solid currentColor}
.rail .none::after{display:none}.rail .none{color:var(--dim)}
.rail li{position:relative}.rail i{position:absolute;top:0;bottom:0;right:-9px;width:4px;background:#3f7fd0}
.rail .l1{right:-15px;background:#b06fd0}.rail .l2{right:-21px;background:#c08a1e}
.rail .top{top:45%;border-radius:3px 3px 0 0}.rail .end{bottom:45%;border-radius:0 0 3px 3px}
.lock{border:1px solid;border-radius:3px;padding:0 .25rem}
.ok{color:var(--ok)}.no{color:var(--no)}.rail .no{font-weight:600}
.x{border:1px solid var(--line);border-radius:10px;margin:0 0 1.2rem;padding:.8rem 1rem 1rem;
scroll-margin-top:.75rem;border-left:4px solid var(--line)}
.m{scroll-margin-top:.75rem}
.x.bad{border-left-color:var(--no)}.x:target,.m:target{border-color:var(--link)}
h2 a{margin-right:.2rem;color:var(--text);background:var(--p);border-radius:6px;padding:0 .45rem}
em{font-style:normal;font-size:.8rem;font-weight:500;border-radius:999px;padding:.05rem .55rem;background:var(--p);
display:inline-block}
em.ok{background:var(--okbg)}em.no{background:var(--nobg)}em.mark{background:var(--e);color:var(--text)}
.t em{padding:0 .45rem;font-size:.85em}
.about{margin:.15rem 0 .6rem}
.m{border-top:1px solid var(--line);padding-top:.6rem}.m+.m{margin-top:.9rem}
.c{display:grid;grid-template-columns:25.8rem minmax(0,1fr);gap:0 1.5rem;margin-top:.4rem}
.d{font:12.5px/1.65 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:0;align-self:start;position:sticky;
top:.5rem;max-height:94vh;overflow:auto;white-space:pre}
.d i{font-style:normal;color:var(--dim)}
ul.t,.t ul{list-style:none;margin:0;padding:0 0 0 1.05rem}ul.t{padding:0;font-size:.93rem}
.t>li{padding-left:.4rem;border-left:4px solid #0000}.t>.h{border-color:var(--h)}.t>.n{border-color:var(--n)}
.t>.a{border-color:var(--a)}.t>.p{border-color:var(--p)}
.t>.g::before{content:attr(data-g);display:block;font-size:.75rem;color:var(--dim);padding:.15rem .3rem 0}
.f{display:block;padding:0 .3rem;border-radius:4px}.f b{font-weight:600}.f.k{border-left:3px solid var(--lit)}
.f code,.policy code{font:12px ui-monospace,monospace}
li:focus{outline:0}li:focus-visible>.f{outline:2px solid var(--link)}
.t [aria-expanded]>.f::after{content:" \\25be";color:var(--dim);cursor:pointer}
.t [aria-expanded=false]>.f::after{content:" \\25b8"}.t [aria-expanded=false]>ul{display:none}
.lit,.d b.lit{background:var(--lit);color:#000}.lit i,.lit em{color:#222;background:#0000}
.error{color:var(--no);margin:.4rem 0 0}
.life{border:1px solid var(--line);border-radius:10px;padding:.5rem 1rem;margin:.6rem 0 .8rem}
.life ol{margin:.4rem 0}.policy{border-collapse:collapse;font-size:.9rem}
.policy td,.policy th{padding:.15rem .8rem .15rem 0;vertical-align:top;text-align:left}
.policy :is(td,th):first-child{white-space:nowrap}
.w{margin-top:.5rem;font-size:.9rem}.w summary{cursor:pointer;color:var(--link)}
.w ul{list-style:none;margin:0;padding:0}.w p{margin:.5rem 0 .1rem}
.w li{border-left:3px solid var(--line);padding:.1rem 0 .1rem .5rem;margin:.2rem 0}
.w .new{border-color:var(--link)}.w .new b::after{content:" new";
font-weight:400;font-size:.75rem;color:var(--link)}
.w code{font:12px ui-monospace,monospace}
.w i{display:block;font-style:normal;font-size:.82rem;color:var(--dim)}
.bar{position:sticky;top:0;z-index:2;background:var(--bg);padding:.5rem 0;display:flex;flex-wrap:wrap;
gap:.4rem .7rem;align-items:center}
.stepping :is(.sessions,.x:not(.now),.m:not(.now)){display:none}
.m.now{border:0;padding:0;margin:0!important;display:flex;flex-direction:column}
.now .w{order:1;margin:.2rem 0 .6rem}
.now .c,.now .error{order:2}
@media (min-width:56.01rem){.m.now:has(.w){display:grid;gap:0 1.5rem;
grid-template-columns:minmax(0,24rem) minmax(0,1fr)}.now h3{grid-column:1/3}.now .w{grid-area:2/1}
.now:has(.w) .c{grid-area:2/2;grid-template-columns:minmax(0,1fr)}
.now:has(.w) .d{position:static;max-height:none;margin-bottom:.6rem}}
[hidden]{display:none!important}
@media (max-width:75rem){.c{grid-template-columns:minmax(0,1fr)}
.d{position:static;margin-bottom:.6rem;max-height:none}}
@media (max-width:56rem){.page{display:block}
nav details{position:static;max-height:none;margin-bottom:1rem;padding:0}}
@media (max-width:30rem){header,footer,.page{padding-left:.75rem;padding-right:.75rem}.x{padding:.6rem .6rem .8rem}
.d{font-size:min(12.5px,calc((100vw - 3.2rem)/32.3));white-space:pre-wrap}.policy td,.policy tr{display:block}
.policy thead{display:none}}
@media (prefers-reduced-motion:no-preference){.f,.d b{transition:background-color .1s}}
@media print{:root{color-scheme:light}.tools,.bar{display:none}.page{display:block}
nav details{position:static;max-height:none}
.d{position:static;max-height:none}.x{border-color:#999}.m,.f{break-inside:avoid}b,em,li{print-color-adjust:exact}}
"""
