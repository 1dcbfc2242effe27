"""What Python is told to run for an emulated process: `launch.py PATH[:PATH...] ARGS`.

The interpreter starts isolated and without `site`, which is faster and keeps the
program's environment and working directory from changing what is imported; the
first argument says where packages are.
"""

import os
import sys

if __name__ == "__main__":
    sys.path[:0] = sys.argv[1].split(os.pathsep)
    from ymawky_kit.run.guest import main

    main(sys.argv[2:])
