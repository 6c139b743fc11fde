"""Write the page on which one walks through the code of digits, and a picture of it.

    python docs/examples/demo_explore.py --output demo

It writes walk.html, which any browser opens, and walk.png, if chromium or google-chrome
is installed. The data are scikit-learn's digits (8 x 8 pixels, nothing is downloaded).
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

from skaae import AAETransformer
from skaae.displays import explore

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WALK = "#row=100&at=1.1,0.55"  # a held row, and the place to which it is dragged


def photograph(page, picture):
    """Write a picture of a page, with 128 colours so that the file is small."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no picture: there is no chromium or google-chrome on the path")
        return
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu"]
        command += ["--hide-scrollbars", "--window-size=1120,720"]
        command += ["--virtual-time-budget=2000", f"--user-data-dir={profile}"]
        command += [f"--screenshot={picture}", f"file://{page}{WALK}"]
        subprocess.run(command, check=True, capture_output=True)
    image = Image.open(picture).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(picture, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"))
    folder = parser.parse_args().output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    X, y = load_digits(return_X_y=True)
    aae = AAETransformer(random_state=0).fit(X)
    explore(aae, X, y).save(folder / "walk.html")
    photograph(folder / "walk.html", folder / "walk.png")
    print(*sorted(path.name for path in folder.glob("walk.*")))


if __name__ == "__main__":
    main()
