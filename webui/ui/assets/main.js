/** The page's client: defines the custom elements that the page's places name, and connects. */

import "./status.js";
import "./notices.js";
import "./results.js";
import "./history.js";
import "./cards.js";
import "./lightbox.js";
import "./models.js";
import "./extensions.js";
import "./person.js";
import "./png_info.js";
import "./team.js";
import { watchAhead } from "./ahead.js";
import { followServer } from "./events.js";
import { watchAway } from "./away.js";
import { answer } from "./generate.js";
import { watchCanvases } from "./canvas.js";
import { watchCounters } from "./counter.js";
import { watchKeys } from "./keys.js";
import { watchLayers } from "./layers.js";
import { watchNumbers } from "./numbers.js";
import { noted, putBack, reload, watchReload } from "./reload.js";
import { restored, sent, watchPrompts } from "./restore.js";
import { watchReuse } from "./seed.js";
import { shape } from "./shape.js";
import { watchTabs } from "./tabs.js";
import { holdTheme } from "./theme.js";
import { watchTitle } from "./title.js";
import { filled, watchTyping } from "./typing.js";

// What the page's own events call (webui/ui/components).
window.gesso = { answer, filled: pageFilled, noted, reload, restored, sent, shape };

holdTheme();
watchAhead();
watchAway();
watchCanvases();
watchCounters();
watchKeys();
watchLayers();
watchNumbers();
watchPrompts();
watchReload();
watchReuse();
watchTitle();
watchTyping();
followServer();

if ("filled" in document.body.dataset) watchTabs();

function pageFilled() {
  filled();
  putBack();
  watchTabs();
}
