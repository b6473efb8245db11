// The report, put together. When it is written, this and all that it imports becomes one script.

import { byId, offer } from "../../../web/dom.js";
import { startCrops } from "./crops.js";
import { data } from "./data.js";
import { startDifferences } from "./differences.js";
import { showPlane } from "./plane.js";
import { showProtocol } from "./protocol.js";
import { showLede, showSummary } from "./summary.js";
import { startTable } from "./table.js";
import { startTheme } from "./theme.js";
import { startViewer } from "./viewer.js";

/** Both selects of a dataset show the same. */
function startSummary() {
  showLede();
  const selects = [byId("dataset", HTMLSelectElement), byId("plane-dataset", HTMLSelectElement)];
  for (const select of selects) {
    offer(select, data.datasets.map(({ name }, index) => [index, name]), 0);
    if (select.parentElement) select.parentElement.hidden = data.datasets.length < 2;
    select.addEventListener("change", () => {
      for (const other of selects) other.value = select.value;
      showSummary();
      showPlane();
    });
  }
  showSummary();
}

function startPlane() {
  let drawn = 0;
  new ResizeObserver(() => {
    if (drawn === byId("plane").clientWidth) return;
    drawn = byId("plane").clientWidth;
    showPlane();
  }).observe(byId("plane"));
}

startTheme();
startSummary();
startDifferences();
startPlane();
startTable();
showProtocol();

// The pictures come after this script in the file.
document.addEventListener("DOMContentLoaded", () => {
  startViewer();
  startCrops();
});
