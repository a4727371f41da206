"""Make the pictures of the README, in both languages: `make pictures`.

report.*.png   the report of one run, with the panel of one number open (Chromium takes the picture)
knob.*.svg     the computation graph of the knob, with the cut that `stop` makes
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import glassgrad as gg
from glassgrad.locale import LANGUAGES

FOLDER = Path(__file__).parent / "pictures"
LARGEST = 300_000  # bytes
NUMBER = "equation:dW1_4_x1"


def main() -> None:
    """Draw the graphs, take the pictures, and say how large they are."""
    FOLDER.mkdir(exist_ok=True)
    draw_graphs()
    photograph()
    for file in sorted(FOLDER.iterdir()):
        size = file.stat().st_size
        print(f"{file.relative_to(FOLDER.parent)}: {size:,} bytes")
        if size > LARGEST:
            sys.exit(f"{file} is larger than {LARGEST:,} bytes")


def draw_graphs() -> None:
    """The knob's computation graph."""
    for language in LANGUAGES:
        gg.set_language(language)
        (FOLDER / f"knob.{language}.svg").write_text(gg.export("knob", to="svg"), encoding="utf-8", newline="\n")


def photograph() -> None:
    """The report of `add` at its first step, where the gradient of one weight has been opened."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", reduced_motion="reduce")
        for language in LANGUAGES:
            gg.set_language(language)
            report = Path(folder) / f"{language}.html"
            report.write_text(gg.watch("add").to_html(), encoding="utf-8")
            page.goto(f"{report.as_uri()}#chapter=add&lang={language}")
            open_number(page)
            page.screenshot(path=FOLDER / f"report.{language}.png")
        browser.close()


def open_number(page: Page) -> None:
    """Click a gradient; its panel shows the formula, the numbers, and the samples behind it."""
    page.locator(f"main [data-open='{NUMBER}']").first.click()
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
