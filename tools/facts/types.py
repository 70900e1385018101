"""Types of values, by the function that reads them."""

from __future__ import annotations

_TYPES = {
    "ngx_conf_set_flag_slot": "flag",
    "ngx_conf_set_num_slot": "number",
    "ngx_conf_set_size_slot": "size",
    "ngx_conf_set_off_slot": "offset",
    "ngx_conf_set_msec_slot": "time-ms",
    "ngx_conf_set_sec_slot": "time-s",
    "ngx_conf_set_str_slot": "string",
    "ngx_conf_set_str_array_slot": "string-list",
    "ngx_conf_set_keyval_slot": "key-value",
    "ngx_conf_set_bufs_slot": "buffers",
    "ngx_conf_set_enum_slot": "enum",
    "ngx_conf_set_bitmask_slot": "bitmask",
    "ngx_conf_set_path_slot": "path",
    "ngx_conf_set_access_slot": "access",
    "ngx_http_set_complex_value_slot": "string-with-variables",
    "ngx_stream_set_complex_value_slot": "string-with-variables",
    "ngx_http_set_predicate_slot": "predicates",
}


def type_of(handler: str) -> str:
    """The type that a directive's handler reads; ``custom`` for one that belongs to a module."""
    return _TYPES.get(handler, "custom")
