import sys
from pathlib import Path

# The samples are shared by tests in several folders.
sys.path.insert(0, str(Path(__file__).parent))
