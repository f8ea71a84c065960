"""What pydantic's validation errors say, in our words: what was found and what is allowed."""

from pydantic_core import ErrorDetails

from emulator.common.text import printable, short_repr

# What is allowed, by pydantic's type of error; the names in braces are from its `ctx`.
_ALLOWED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "multiple_of": "a multiple of {multiple_of}",
    "none_required": "null",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "text of at most {max_length} characters",
    "string_too_short": "text of {min_length} or more characters",
    "string_type": "text",
    "string_unicode": "text in Unicode",
    "too_long": "at most {max_length} of them",
    "too_short": "{min_length} or more of them",
    "tuple_type": "a list",
}


def value_text(details: ErrorDetails) -> str:
    """The message about one value: 'found ...; allowed: ...'."""
    context = details.get("ctx", {})
    if details["type"] in ("value_error", "assertion_error"):
        return printable(str(context["error"]))
    plain = {name: f"{x:g}" if isinstance(x, float) else x for name, x in context.items()}
    allowed = _ALLOWED.get(details["type"], "").format(**plain)
    allowed = allowed or printable(details["msg"].removeprefix("Input should be "))
    return f"found {short_repr(details['input'])}; allowed: {allowed}"
