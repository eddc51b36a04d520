"""When Python looks for garbage in a process that runs for long."""

import gc


def settle() -> None:
    """What is there now stays: it is not looked through again, and stays shared with the processes that have it too.

    To look again and again costs an eighth of an acknowledgement. And Python looks through everything only once a quarter
    as much has come as it counted the last time; counted with all that was imported, that would be 20,000 objects.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
