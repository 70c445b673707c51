import { render } from "preact";
import { start } from "./api/session.ts";
import { App } from "./app.tsx";
import "./styles/frame.css";
import "./styles/pieces.css";
import "./styles/forms.css";
import "./styles/tables.css";
import "./styles/screens.css";
import "./styles/media.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
void start();
