/*! Paddle Inference Workbench, pass list. Apache-2.0. */
var k=`.pwb {
  --pwb-bg: var(--jp-layout-color1, #fff);
  --pwb-bg2: var(--jp-layout-color2, #eee);
  --pwb-fg: var(--jp-ui-font-color1, rgba(0, 0, 0, 0.87));
  --pwb-fg2: var(--jp-ui-font-color2, rgba(0, 0, 0, 0.54));
  --pwb-line: var(--jp-border-color2, #e0e0e0);
  --pwb-line1: var(--jp-border-color1, #bdbdbd);
  --pwb-accent: var(--jp-brand-color1, #1976d2);
  --pwb-add: color-mix(in srgb, var(--jp-success-color1, #388e3c) 82%, var(--jp-ui-font-color0, #000));
  --pwb-remove: color-mix(in srgb, var(--jp-error-color1, #d32f2f) 82%, var(--jp-ui-font-color0, #000));
  --pwb-alter: color-mix(in srgb, var(--jp-warn-color1, #f57c00) 72%, var(--jp-ui-font-color0, #000));
  box-sizing: border-box;
  color: var(--pwb-fg);
  background: var(--pwb-bg);
  border: 1px solid var(--pwb-line);
  border-radius: 4px;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  font-size: var(--jp-ui-font-size1, 13px);
  line-height: 1.4;
  container-type: inline-size;
  overflow: hidden;
}
.pwb *,
.pwb *::before,
.pwb *::after {
  box-sizing: border-box;
}
.pwb [hidden] {
  display: none !important;
}
.pwb-bar {
  display: flex;
  align-items: center;
  gap: 8px;
  min-height: 36px;
  padding: 4px 8px;
  border-bottom: 1px solid var(--pwb-line);
}
.pwb-button {
  height: 24px;
  min-width: 24px;
  padding: 0 7px;
  border: 1px solid transparent;
  border-radius: 3px;
  background: transparent;
  color: var(--pwb-fg);
  font: inherit;
  line-height: 1;
  cursor: pointer;
}
.pwb-button:hover:not(:disabled) {
  background: var(--pwb-bg2);
}
.pwb-button:disabled {
  opacity: 0.4;
  cursor: default;
}
.pwb button:focus-visible,
.pwb input:focus-visible,
.pwb summary:focus-visible,
.pwb [tabindex]:focus-visible {
  outline: 2px solid var(--pwb-accent);
  outline-offset: -2px;
}
.pwb-hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.pwb-added {
  color: var(--pwb-add);
}
.pwb-removed {
  color: var(--pwb-remove);
}
.pwb-altered {
  color: var(--pwb-alter);
}
.pwb-counter,
.pwb-percent,
.pwb-status {
  color: var(--pwb-fg2);
  font-variant-numeric: tabular-nums;
}
`;function p(o,e={},...t){let s=document.createElement(o);w(s,e);for(let n of t)n&&s.append(n);return s}function w(o,e){for(let[t,s]of Object.entries(e))s==null||s===!1?o.removeAttribute(t):o.setAttribute(t,s===!0?"":String(s))}var f=class{tasks=[];add(e){this.tasks.push(e)}listen(e,t,s,n){e.addEventListener(t,s,n),this.add(()=>e.removeEventListener(t,s,n))}observe(e,t,s){for(let n of t)e.on(`change:${n}`,s);this.add(()=>{for(let n of t)e.off(`change:${n}`,s)})}run(){for(let e of this.tasks.splice(0).reverse())e()}};function m(o,e){let t,s=()=>{clearTimeout(t),t=void 0},n=()=>{s(),o()};return Object.assign(()=>{s(),t=setTimeout(n,e)},{flush:()=>t!==void 0&&n(),cancel:s})}function u(o){try{o.save_changes()}catch(e){console.warn("paddle workbench: no connection to the kernel",e)}}function v(o,e,t){let s=o.getRootNode(),n=s instanceof ShadowRoot?s:document.head;if(n.querySelector(`style[data-pwb="${e}"]`))return;let a=p("style",{"data-pwb":e});a.textContent=t,n.append(a)}function T(o){o.dataset.lmSuppressShortcuts="true"}var S=`.pwb-passes .pwb-input {
  flex: 1 1 8em;
  min-width: 6em;
  max-width: 20em;
  height: 24px;
  padding: 0 8px;
  border: 1px solid var(--pwb-line1);
  border-radius: 3px;
  background: var(--jp-layout-color0, #fff);
  color: inherit;
  font: inherit;
}
.pwb-passes .pwb-input::placeholder {
  color: var(--pwb-fg2);
}
.pwb-passes .pwb-check {
  display: inline-flex;
  align-items: center;
  gap: 5px;
  white-space: nowrap;
  cursor: pointer;
}
.pwb-passes .pwb-check input {
  margin: 0;
  accent-color: var(--pwb-accent);
}
.pwb-passes .pwb-bar > .pwb-button {
  margin-left: auto;
  border-color: var(--pwb-line1);
}
.pwb-rows {
  position: relative;
  display: grid;
  grid-template-columns: max-content max-content minmax(8em, max-content) repeat(4, max-content) 1fr;
  align-content: start;
  max-height: var(--pwb-list-height, 26rem);
  min-height: 3rem;
  overflow-y: auto;
  overscroll-behavior: auto;
  font-variant-numeric: tabular-nums;
}
.pwb-row {
  display: grid;
  grid-column: 1 / -1;
  grid-template-columns: subgrid;
  align-items: center;
  min-height: 26px;
  padding: 2px 10px 2px 0;
  border-left: 3px solid transparent;
  cursor: pointer;
}
.pwb-row + .pwb-row {
  box-shadow: inset 0 1px 0 color-mix(in srgb, var(--pwb-line) 55%, transparent);
}
.pwb-row:hover {
  background: color-mix(in srgb, var(--pwb-bg2) 55%, transparent);
}
.pwb-row[aria-selected="true"] {
  border-left-color: var(--pwb-accent);
  background: color-mix(in srgb, var(--pwb-accent) 13%, transparent);
}
.pwb-cell {
  padding-left: 12px;
  white-space: nowrap;
  color: var(--pwb-fg2);
}
.pwb-changed .pwb-cell {
  color: var(--pwb-fg);
}
.pwb-cell.pwb-index {
  min-width: 2.6em;
  padding-left: 4px;
  text-align: right;
  color: var(--pwb-fg2);
}
.pwb-cell.pwb-toggle {
  display: flex;
  min-width: 40px;
}
.pwb-cell.pwb-name {
  display: flex;
  flex-direction: column;
  min-width: 0;
}
.pwb-pass,
.pwb-remark {
  overflow: hidden;
  text-overflow: ellipsis;
}
.pwb-pass {
  font-family: var(--jp-code-font-family, monospace);
  font-size: var(--jp-code-font-size, 13px);
}
.pwb-changed .pwb-pass {
  font-weight: 600;
}
[data-stage="0"] .pwb-pass {
  font-family: inherit;
  font-style: italic;
}
.pwb-remark {
  font-size: var(--jp-ui-font-size0, 11px);
  color: var(--pwb-fg2);
}
.pwb-cell.pwb-mark {
  padding-left: 28px;
  font-size: var(--jp-ui-font-size0, 11px);
}
.pwb-chip::before {
  content: "";
  display: inline-block;
  width: 7px;
  height: 7px;
  margin-right: 6px;
  background: var(--pwb-accent);
  transform: rotate(45deg);
}
.pwb-cell.pwb-matches,
.pwb-cell.pwb-ops {
  padding-left: 20px;
  text-align: right;
}
.pwb-cell.pwb-delta {
  display: grid;
  grid-template-columns: 2.6em 2.6em;
  gap: 4px;
  text-align: right;
}
.pwb-delta .pwb-removed {
  grid-column: 2;
}
.pwb-changed .pwb-cell .pwb-added {
  color: var(--pwb-add);
}
.pwb-changed .pwb-cell .pwb-removed {
  color: var(--pwb-remove);
}
.pwb-pending .pwb-toggle {
  position: relative;
}
.pwb-pending .pwb-toggle::after {
  content: "•";
  color: var(--pwb-alter);
  margin-left: 2px;
  line-height: 16px;
}
.pwb .pwb-switch {
  position: relative;
  flex: none;
  width: 26px;
  height: 16px;
  padding: 0;
  border: 1px solid var(--pwb-line1);
  border-radius: 8px;
  background: transparent;
  cursor: pointer;
  transition: background 0.12s;
}
.pwb .pwb-switch::before {
  content: "";
  position: absolute;
  top: 2px;
  left: 2px;
  width: 10px;
  height: 10px;
  border-radius: 50%;
  background: var(--pwb-fg2);
  transition: transform 0.12s;
}
.pwb .pwb-switch[aria-checked="true"] {
  border-color: var(--pwb-accent);
  background: var(--pwb-accent);
}
.pwb .pwb-switch[aria-checked="true"]::before {
  background: var(--pwb-bg);
  transform: translateX(10px);
}
.pwb .pwb-switch:focus-visible {
  outline-offset: 1px;
}
.pwb .pwb-switch[aria-disabled="true"] {
  opacity: 0.4;
  cursor: not-allowed;
}
.pwb-empty {
  grid-column: 1 / -1;
  padding: 16px;
  text-align: center;
  color: var(--pwb-fg2);
}
.pwb-foot {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: 2px 16px;
  padding: 5px 10px;
  border-top: 1px solid var(--pwb-line);
  font-size: var(--jp-ui-font-size0, 11px);
}
.pwb-message {
  white-space: pre-wrap;
}
.pwb-busy .pwb-message::before {
  content: "";
  display: inline-block;
  width: 9px;
  height: 9px;
  margin-right: 6px;
  border: 2px solid var(--pwb-line1);
  border-top-color: var(--pwb-accent);
  border-radius: 50%;
  vertical-align: -1px;
  animation: pwb-turn 0.9s linear infinite;
}
@keyframes pwb-turn {
  to {
    transform: rotate(1turn);
  }
}
@media (prefers-reduced-motion: reduce) {
  .pwb * {
    animation: none !important;
    transition: none !important;
  }
}
@container (max-width: 640px) {
  /* Narrow: what a pass did goes to a line of its own below its name. */
  .pwb-rows {
    grid-template-columns: max-content max-content minmax(0, 1fr) max-content;
  }
  .pwb-row:not(.pwb-changed) > :is(.pwb-mark, .pwb-matches, .pwb-delta) {
    display: none;
  }
  .pwb-row.pwb-changed {
    row-gap: 1px;
  }
  .pwb-pass {
    font-size: 12px;
  }
  .pwb-row > .pwb-cell.pwb-mark {
    grid-area: 2 / 3;
    padding-left: 12px;
  }
  .pwb-row > .pwb-cell.pwb-matches {
    grid-area: 2 / 3;
    justify-self: end;
    padding-left: 12px;
    font-size: var(--jp-ui-font-size0, 11px);
  }
  .pwb-row > .pwb-cell.pwb-ops {
    grid-column: 4;
    padding-left: 12px;
  }
  .pwb-row > .pwb-cell.pwb-delta {
    grid-area: 2 / 4;
    display: flex;
    justify-content: flex-end;
    gap: 6px;
    font-size: var(--jp-ui-font-size0, 11px);
  }
}
`;function R(o,e,t){let s=new Map,n=o.map((l,b)=>{let c=l.pass??"",h=(s.get(c)??0)+1;return s.set(c,h),{kind:"stage",key:`${c}#${h}`,pass:l.pass,stage:l,opsBefore:o[b-1]?.ops??null}}),a=e.filter(({pass:l})=>!s.has(l)),i=a.filter(l=>typeof l.index=="number");for(let l of[...i].sort((b,c)=>b.index-c.index))n.splice(Math.min(l.index,n.length),0,j(l));let r=a.filter(l=>typeof l.index!="number"),d=l=>t.indexOf(`${l.pass}#1`);for(let l of[...r].sort((b,c)=>d(b)-d(c)))n.splice(A(n,t,d(l)),0,j(l));return n}function j(o){return{kind:"off",key:`${o.pass}#1`,pass:o.pass,off:o}}function A(o,e,t){for(let s=t-1;s>=0;s-=1){let n=o.findIndex(({key:a})=>a===e[s]);if(n>=0)return n+1}return o.length}function E(o,e,t){let s=e.toLowerCase().split(/\s+/).filter(Boolean),n=o.kind==="stage"?o.stage.note:o.off.reason,a=`${o.pass??x} ${n??""}`.toLowerCase();return s.every(i=>a.includes(i))?!t||o.kind==="off"?!0:o.stage.changed||o.pass===null:!1}var x="model as loaded";function $(o){return o===null?"":Array.isArray(o)?o.join(" + "):o===1?"1 match":`${o} matches`}function L(o,e){return o===null||o===e?`${e}`:`${o} → ${e}`}function M(o,e,t,s){let n=o.filter(({pass:r})=>r!==null),i=[`${n.filter(r=>r.changed).length} of ${n.length} passes changed the graph`];return e&&i.push(`${e} off`),t<s&&i.push(`${t} of ${s} rows shown`),i.join(" · ")}var H=10,y=class{constructor(e,t){this.model=e;this.el=t;this.filter=p("input",{type:"search",class:"pwb-input",placeholder:"Filter passes","aria-label":"Filter passes by name",spellcheck:"false"}),this.hide=p("input",{type:"checkbox"}),this.allOn=p("button",{type:"button",class:"pwb-button",title:"Switch every pass on again"},"All on"),this.list=p("div",{class:"pwb-rows",role:"grid","aria-label":"Passes"}),this.root=p("div",{class:"pwb pwb-passes"},p("div",{class:"pwb-bar"},this.filter,p("label",{class:"pwb-check"},this.hide,"Hide unchanged"),this.allOn),this.list,p("div",{class:"pwb-foot"},this.counter,this.message)),T(this.root),t.append(this.root),this.style(),requestAnimationFrame(()=>this.root.isConnected&&this.style()),this.saveSoon=m(()=>u(e),120),this.cleanup.add(()=>this.saveSoon.flush()),this.listen(),this.cleanup.observe(e,["stages","off_passes"],()=>this.build()),this.cleanup.observe(e,["filter","hide_unchanged"],()=>this.fill()),this.cleanup.observe(e,["disabled","busy","message","height"],()=>this.refresh()),this.cleanup.observe(e,["selected"],()=>{this.refresh(),this.showSelected()}),this.build(),this.showSelected()}model;el;cleanup=new f;root;list;filter;hide;allOn;counter=p("span",{class:"pwb-counter",role:"status"});message=p("div",{class:"pwb-message",role:"status",hidden:!0});rows=[];shown=[];current="";saveSoon;dispose(){this.cleanup.run(),this.root.remove()}style(){v(this.el,"base",k),v(this.el,"passes",S)}build(){let{model:e}=this;this.rows=R(e.get("stages"),e.get("off_passes"),this.rows.map(({key:t})=>t)),this.fill()}fill(){let{model:e}=this,t=e.get("filter");this.filter.value!==t&&(this.filter.value=t),this.hide.checked=e.get("hide_unchanged");let s=document.activeElement,n=this.shown.find(({element:i})=>i.contains(s)),a=n!==void 0&&n.toggle===s;if(this.shown=this.rows.filter(i=>E(i,t,this.hide.checked)).map(i=>({row:i,...this.makeRow(i)})),this.list.replaceChildren(...this.shown.length?this.shown.map(({element:i})=>i):[p("div",{class:"pwb-empty"},this.rows.length?"No pass matches the filter.":"No passes yet.")]),this.refresh(),n){let i=this.shown.find(({row:r})=>r.key===n.row.key);(a?i?.toggle:i?.element)?.focus({preventScroll:!0})}}makeRow(e){let t=e.pass===null?null:this.makeSwitch(e,e.pass),s=(c,...h)=>p("span",{class:`pwb-cell pwb-${c}`,role:"gridcell"},...h),n=e.kind==="stage"?e.stage:null,a=e.kind==="stage"?e.stage.note:e.off.reason,i=p("span",{class:"pwb-pass"},e.pass??x),r=this.rows.filter(({pass:c})=>c!==null&&c===e.pass).length,d=[e.pass??"The graph before any pass",r>1?`Runs ${r} times in this pipeline: its switch holds for all of them.`:"",a??""],l=n?.changed===!0&&e.pass!==null;return{element:p("div",{role:"row",class:`pwb-row${l?" pwb-changed":""}${n?"":" pwb-off"}`,title:d.filter(Boolean).join(`
`),tabindex:-1,"data-key":e.key,"data-stage":n?.index},s("index",n?`${n.index}`:""),s("toggle",t),s("name",i,a?p("span",{class:"pwb-remark"},a):null),s("mark",l?p("span",{class:"pwb-chip"},"changed"):n?"":"did not run"),s("matches",$(n?.matches??null)),s("ops",n?p("span",{class:"pwb-total",title:"Ops in the graph"},L(e.kind==="stage"?e.opsBefore:null,n.ops)):null),s("delta",n?.added?p("span",{class:"pwb-added"},`+${n.added}`):null,n?.removed?p("span",{class:"pwb-removed"},`−${n.removed}`):null)),toggle:t}}makeSwitch(e,t){return p("button",{type:"button",role:"switch",class:"pwb-switch",tabindex:-1,"aria-label":`Run ${t}`,"data-pass":t,"data-locked":e.kind==="stage"&&!e.stage.can_disable})}refresh(){let{model:e}=this,t=new Set(e.get("disabled")),s=e.get("selected"),n=e.get("busy");if(!this.shown.some(({row:r})=>r.key===this.current)){let r=this.shown.find(d=>g(d.row)===s)??this.shown[0];this.current=r?.row.key??""}for(let{row:r,element:d,toggle:l}of this.shown){let b=g(r)===s;if(w(d,{"aria-selected":b?"true":"false",tabindex:r.key===this.current?0:-1}),!l||r.pass===null)continue;let c=!t.has(r.pass),h=r.kind==="stage"?!c:c;d.classList.toggle("pwb-pending",h),w(l,{"aria-checked":c?"true":"false","aria-disabled":n||l.dataset.locked!==void 0?"true":"false",tabindex:r.key===this.current?0:-1,title:this.switchTitle(r,c,h)})}this.root.classList.toggle("pwb-busy",n),this.list.setAttribute("aria-busy",String(n)),this.list.setAttribute("aria-rowcount",String(this.shown.length)),this.allOn.disabled=n||t.size===0,this.counter.textContent=M(e.get("stages"),t.size,this.shown.length,this.rows.length);let a=e.get("message")||(n?"Working …":"");this.message.textContent=a,this.message.hidden=!a;let i=e.get("height");this.root.style.setProperty("--pwb-list-height",i>0?`${i}px`:"")}switchTitle(e,t,s){if(e.kind==="stage"&&!e.stage.can_disable)return e.stage.reason??"This pass cannot be switched off.";let n=s?` (from the next run on: ${t?"on":"off"})`:"";return`${t?"Switch off":"Switch on"} ${e.pass}${n}`}listen(){let{cleanup:e,model:t}=this,s=m(()=>u(t),250);e.add(s.flush),e.listen(this.filter,"input",()=>{t.set("filter",this.filter.value),this.fill(),s()}),e.listen(this.hide,"change",()=>{t.set("hide_unchanged",this.hide.checked),this.fill(),u(t)}),e.listen(this.allOn,"click",()=>this.setDisabled([])),e.listen(this.list,"click",n=>{let a=n.target,i=this.shown.find(({element:r})=>r.contains(a));i&&(this.current=i.row.key,i.toggle?.contains(a)?this.toggle(i):(this.select(i),i.element.focus({preventScroll:!0})))}),e.listen(this.list,"keydown",n=>this.key(n))}key(e){if(e.ctrlKey||e.metaKey||e.altKey)return;let t=this.shown.findIndex(({element:d})=>d.contains(e.target)),s=this.shown[t];if(!s)return;let n=e.target===s.toggle,a=this.shown.length-1,r={ArrowUp:t-1,ArrowDown:t+1,PageUp:t-H,PageDown:t+H,Home:0,End:a}[e.key];if(r!==void 0){let d=this.shown[Math.max(0,Math.min(a,r))];this.current=d.row.key,this.select(d,!0),(n&&d.toggle?d.toggle:d.element).focus({preventScroll:!0}),this.bringIntoView(d.element)}else if(e.key==="ArrowRight"&&!n)s.toggle?.focus({preventScroll:!0});else if(e.key==="ArrowLeft"&&n)s.element.focus({preventScroll:!0});else if(e.key===" ")this.toggle(s);else if(e.key==="Enter")n?this.toggle(s):this.select(s);else return;e.preventDefault(),e.stopPropagation()}select({row:e},t=!1){let s=g(e);if(s===null||s===this.model.get("selected")){this.refresh();return}this.model.set("selected",s),this.refresh(),this.saveSoon(),t||this.saveSoon.flush()}toggle({row:e,toggle:t}){if(!t||e.pass===null||t.getAttribute("aria-disabled")==="true")return;let s=this.model.get("disabled");this.setDisabled(s.includes(e.pass)?s.filter(n=>n!==e.pass):[...s,e.pass])}setDisabled(e){this.model.set("disabled",e),this.refresh(),u(this.model)}showSelected(){let e=this.shown.find(t=>g(t.row)===this.model.get("selected"));e&&requestAnimationFrame(()=>this.bringIntoView(e.element))}bringIntoView(e){let{list:t}=this,s=e.offsetTop;s<t.scrollTop?t.scrollTop=s:s+e.offsetHeight>t.scrollTop+t.clientHeight&&(t.scrollTop=s+e.offsetHeight-t.clientHeight)}};function g(o){return o.kind==="stage"?o.stage.index:null}function N({model:o,el:e}){let t=new y(o,e);return()=>t.dispose()}var U={render:N};export{U as default,N as render};
