"""The report in a headless Chromium: nothing is fetched, no script fails, both themes, and a phone's width."""

import re
import shutil
import subprocess

import pytest

from experiments.har_eval.report.page import render_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROBE = """<script>
addEventListener("load", () => {
  document.documentElement.style.scrollBehavior = "auto";
  document.querySelector(".figure").scrollIntoView();
  setTimeout(() => {
  const { dataset, scrollWidth } = document.documentElement;
  document.getElementById("theme").click();
  const drawn = document.querySelectorAll(".figure .main-svg").length > 0;
  const wide = innerWidth < scrollWidth;
  document.documentElement.dataset.found = [dataset.errors, dataset.ready, drawn, wide, dataset.theme].join("|");
}, 3000); });
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on PATH; apt-get install chromium")
@pytest.mark.parametrize("width", [500, 1280])  # a headless window is never narrower than 500
def test_the_page_draws_without_errors_and_fits(results, drawings, tmp_path, width):
    page = tmp_path / "report.html"
    page.write_text(render_report(results, drawings).replace("</body>", PROBE), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},800"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=170, check=True).stdout
    assert re.findall('data-found="([^"]*)"', shown) == ["0|yes|true|false|dark"]
