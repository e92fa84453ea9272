"""Parameters of the box losses."""

from pydantic import Field

from automedsam.runtime.parameters.base import Params


class BoxLossParams(Params):
    """The box losses; the names are those of the arguments of `AutoMedSAMLoss`."""

    lambda_tightness: float = Field(
        1e-4,
        ge=0,
        description=(
            "Weight of L_tightbox, the loss that makes a mask touch all four sides of its "
            "box. With `prompting: locate` it only changes the reported box losses and the "
            "tie-break between equally good epochs."
        ),
    )
    lambda_size: float = Field(
        1e-2,
        ge=0,
        description=(
            "Weight of L_size, the loss that keeps the mask area between `size_lower` and "
            "`size_upper`. With `prompting: locate` it only changes the reported box losses "
            "and the tie-break between equally good epochs."
        ),
    )
    barrier_t: float = Field(
        5.0,
        gt=0,
        description=(
            "Steepness of the log-barrier in L_tightbox and L_size. A higher value enforces "
            "the constraints more strictly."
        ),
    )
    band_width: int = Field(
        5,
        ge=1,
        description=(
            "Width, in pixels of the prepared image, of the bands of L_tightbox. A wider band "
            "tolerates thin gaps in the mask."
        ),
    )
    size_lower: float = Field(
        0.5,
        ge=0,
        le=1,
        description=(
            "Minimum area of the mask in L_size, as a fraction of the area of its boxes. Must "
            "be below `size_upper`."
        ),
    )
    size_upper: float = Field(
        0.9,
        ge=0,
        le=1,
        description=(
            "Maximum area of the mask in L_size, as a fraction of the area of its boxes. Must "
            "be above `size_lower`."
        ),
    )
    box_margin: int = Field(
        0,
        ge=0,
        description=(
            "Distance, in pixels per side, by which the given boxes may be too large; "
            "L_tightbox and the lower bound of L_size then allow for it. 0 means tight boxes."
        ),
    )
