"""The bodies and parameters that clients send, as Pydantic models.

What the API answers are the Structs of the layers below, encoded as they are; see `openapi.py` for how both get
into one document.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from capsize_starter.queue import NewTask

TASK_TYPE = r"^[A-Za-z0-9_.:-]{1,100}$"
EMAIL = r"^[^@\s\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,189}$"


def _storable(text: str) -> str:
    """Text that UTF-8 and PostgreSQL can hold: no NUL, no half of a surrogate pair."""
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


Text = Annotated[str, AfterValidator(_storable)]
Email = Annotated[str, Field(pattern=EMAIL, max_length=254, examples=["ada@example.com"])]
TaskType = Annotated[str, Field(pattern=TASK_TYPE, examples=["delay"])]
Status = Literal["pending", "running", "completed", "failed", "cancelled"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Registration(_Body):
    """A new user."""

    email: Email
    password: Annotated[Text, Field(min_length=8, max_length=1024)]
    name: Annotated[Text, Field(max_length=200)] = ""


class Login(BaseModel):
    """An attempt to log in. Further fields are ignored, so what was registered with can be sent again."""

    email: Annotated[Text, Field(max_length=254)]
    password: Annotated[Text, Field(max_length=1024)]


class Refresh(_Body):
    """A refresh token to be traded for new tokens."""

    refresh_token: Annotated[str, Field(max_length=200)]


class TaskIn(_Body):
    """A task to be done."""

    type: TaskType
    payload: dict[str, Any] = Field(default_factory=dict, examples=[{"seconds": 2.0}])
    priority: Annotated[int, Field(ge=-32768, le=32767, description="Higher goes first.")] = 0
    run_at: Annotated[AwareDatetime | None, Field(description="Not before; null means at once.")] = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3

    def as_new(self) -> NewTask:
        """The task as the queue takes it."""
        return NewTask(
            type=self.type,
            payload=self.payload,
            priority=self.priority,
            run_at=self.run_at,
            max_attempts=self.max_attempts,
        )


class PageQuery(BaseModel):
    """Which page of a list."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str | None, Field(max_length=100)] = None


class TaskQuery(PageQuery):
    """Which tasks, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    type: TaskType | None = None
    created_after: Annotated[AwareDatetime | None, Field(description="Created at or after.")] = None
    created_before: Annotated[AwareDatetime | None, Field(description="Created before.")] = None
