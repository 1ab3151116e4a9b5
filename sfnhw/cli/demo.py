"""`sfnhw demo`: the whole chain on handwritten digits."""

from pathlib import Path

import click

from sfnhw.cli.compiling import tell_of_compiling
from sfnhw.cli.options import as_json, command_line, folder_option
from sfnhw.cli.output import Progress, print_json, say

THRESHOLDS = 8


@click.command("demo", short_help="The whole chain on a CNN for handwritten digits.")
@folder_option("out/demo")
@as_json
def command(folder: Path, as_json: bool) -> None:
    """Train, convert, map, simulate and price a CNN on handwritten digits.

    The CNN is trained on scikit-learn's digits, converted to one timestep with 8 thresholds, and its 360 test images
    are simulated packet by packet on the `reference` chip, beside IF over 8 steps, the other ways to spike and the quantised network.
    """
    from sfnhw.reports import check_output_folder

    check_output_folder(folder)
    say("training a CNN on 1,437 images of handwritten digits")
    from sfnhw.convert import convert
    from sfnhw.digits import load_digits_split, train_digits_cnn

    split = load_digits_split()
    module = train_digits_cnn()
    say(f"converting it to SFN: one timestep, {THRESHOLDS} thresholds")
    network = convert(
        module,
        split.train_images,
        labels=split.train_labels,
        coding="sfn",
        thresholds=THRESHOLDS,
        name="digits CNN",
    )
    say("mapping it on the reference chip and simulating 360 test images, beside six other codings")
    from sfnhw.estimate import estimate

    progress = Progress()
    tell_of_compiling()
    run = estimate(
        network,
        "reference",
        split.test_images,
        labels=split.test_labels,
        break_even=True,
        sensitivity=True,
        progress=progress,
        command=command_line(),
    )
    progress.clear()
    run.save(folder)
    network.save(folder / "digits.sfn")
    if as_json:
        print_json(run.as_json())
    else:
        click.echo(run.summary())
    say(f"\nnetwork: {folder / 'digits.sfn'}\nopen:    {folder / 'report.html'}")
