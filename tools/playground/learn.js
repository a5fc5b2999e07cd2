// The tab Learn: lessons, each with tasks that are checked in the page's TPM.
import { find } from "./dom.js";

export function setUpLearn(call) {
  return { ready() {}, open() {} };
}
